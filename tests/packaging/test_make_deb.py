"""packaging/deb: the package holds what the lock says that joed needs, by its hash, and the same bytes each time."""

import hashlib
import shutil
import subprocess
import sys

import pytest

from tests.systemd.tree import ROOT, maker

MADE = maker()
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
SHIPPED = {
    *("aiohappyeyeballs", "aiohttp", "aiosignal", "annotated-types", "apprise", "attrs", "certifi"),
    *("charset-normalizer", "click", "eventkit", "frozenlist", "ib-insync", "idna", "linkify-it-py"),
    *("markdown", "markdown-it-py", "mdit-py-plugins", "mdurl", "msgspec", "multidict", "nest-asyncio", "numpy"),
    *("oauthlib", "platformdirs", "prometheus-client", "propcache", "pydantic", "pydantic-core", "pygments", "pyyaml"),
    *("requests", "requests-oauthlib", "rich", "sdnotify", "textual", "typing-extensions", "typing-inspection"),
    *("tzdata", "urllib3", "websockets", "yarl"),
}
"""Everybody whose code runs beside a trader's money. A name is added here by hand, after somebody has looked at it."""
EXAMPLE = """# made by a tool
alpha==1 \\
    --hash=sha256:aa
    # via joed (pyproject.toml)
beta==2 \\
    --hash=sha256:bb
    # via
    #   joed (pyproject.toml:dev)
    #   alpha
gamma==3 \\
    --hash=sha256:cc
    # via joed (pyproject.toml:dev)
Delta_x==4 ; python_full_version < '3.12' \\
    --hash=sha256:dd
    # via beta
"""


def names(rows):
    """Give the names in rows of a lock."""
    return [MADE.plain(row.split("==")[0]) for row in rows.splitlines() if row[:1].isalpha()]


def test_what_only_tests_need_stays_out():
    """A row comes with whoever brought it in, and with its hashes; the rest of the lock does not."""
    kept = MADE.rows_to_run(EXAMPLE, ["alpha"])

    assert names(kept) == ["alpha", "beta", "delta-x"]
    assert kept.count("--hash=sha256:") == 3
    assert "python_full_version < '3.12'" in kept


def test_a_name_that_the_lock_lacks_is_refused():
    """Nothing is installed that was not locked."""
    with pytest.raises(SystemExit, match="epsilon"):
        MADE.rows_to_run(EXAMPLE, ["alpha", "epsilon"])


def test_nobody_new_comes_along_unseen():
    """A dependency's new dependency, or a name one letter off, changes this list and so is read by a person."""
    kept = MADE.rows_to_run(LOCK, MADE.wanted((ROOT / "pyproject.toml").read_text("utf-8")))
    assert set(names(kept)) == SHIPPED


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Give a wheel of this checkout."""
    return built(ROOT, tmp_path_factory.mktemp("wheel"))


def built(tree, folder):
    """Build a wheel as the package does, and give its path."""
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, tree]
    MADE.run(sys.executable, "-m", "pip", "--disable-pip-version-check", *words)
    [file] = folder.glob("*.whl")
    return file


def test_two_builds_of_one_commit_are_the_same_bytes(wheel, tmp_path):
    """In another folder, at another time: what a person installs can be built again and compared."""
    copy = tmp_path / "elsewhere"
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "dist", "var", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, copy, ignore=ignored)

    again = built(copy, tmp_path / "wheel")

    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()


def test_a_file_that_is_not_the_one_that_was_locked_is_not_installed(wheel, tmp_path):
    """One digit of a hash is enough; with the right one it is installed."""
    right = hashlib.sha256(wheel.read_bytes()).hexdigest()
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")

    def installed(digest, room):
        lock = tmp_path / "lock"
        lock.write_text(f"joed=={wheel.name.split('-')[1]} --hash=sha256:{digest}\n")
        words = ["install", "--no-deps", "--no-index", "--find-links", wheel.parent, "--require-hashes"]
        where = ["--target", tmp_path / room, "-r", lock]
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words, *where]
        return subprocess.run([*map(str, pip)], capture_output=True, text=True, check=False)

    refused = installed(wrong, "a")

    assert refused.returncode != 0
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    assert installed(right, "b").returncode == 0
