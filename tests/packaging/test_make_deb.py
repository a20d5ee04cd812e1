"""packaging/deb: the package holds what the lock says that joed needs, by its hash, and the same bytes each time."""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import distributions

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
LICENCES = {
    *("MIT", "MIT License", "BSD-2-Clause", "BSD-3-Clause", "BSD License", "Apache-2.0", "Apache Software License"),
    *("PSF-2.0", "Python Software Foundation License", "0BSD", "Zlib", "CC0-1.0"),
    "Mozilla Public License 2.0 (MPL 2.0)",  # certifi: a list of certificates, unchanged
}
"""What may be passed on with joed's own licence; another one is looked at by a person first."""
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


def test_everybody_that_comes_along_may_be_passed_on():
    """By the terms that each declares, every part of them; as they stand in the bill of materials."""
    terms = {
        MADE.plain(one.name): MADE.terms_of(one.metadata) for one in distributions() if MADE.plain(one.name) in SHIPPED
    }
    odd = {name: said for name, said in terms.items() if not set(said.split(" AND ")) <= LICENCES}

    assert set(terms) == SHIPPED
    assert odd == {}


def test_what_was_published_within_a_week_is_not_locked():
    """Most poisoned releases are found within days: each resolution of the lock leaves the newest out."""
    text = (ROOT / "Makefile").read_text("utf-8")
    resolutions = text.replace("\\\n", " ").split("pip compile")[1:]

    assert re.search(r"^AGE +:= 7 days$", text, re.MULTILINE)
    assert len(resolutions) == 2
    assert all("--exclude-newer '$(AGE)'" in each.partition("\n")[0] for each in resolutions)


def test_code_of_others_is_run_by_no_installation_but_one(tmp_path):
    """Wheels are unpacked; a source distribution runs its own setup, so it is refused but for the one that is named."""
    for name in ("evil", MADE.BUILT):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "setup.py").write_text(
            f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r} + ' ')\nfrom setuptools import setup\nsetup()\n"
        )
        (folder / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        with tarfile.open(tmp_path / f"{name}-1.tar.gz", "w:gz") as packed:
            packed.add(folder, f"{name}-1")

    def installed(name):
        words = [*MADE.FROM_WHEELS, "--no-deps", "--no-index", "--find-links", tmp_path, "--no-build-isolation"]
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--target", tmp_path / "into"]
        return subprocess.run([*map(str, [*pip, *words, name])], capture_output=True, text=True, check=False)

    refused = installed("evil")
    installed(MADE.BUILT)

    assert refused.returncode != 0
    assert "No matching distribution" in refused.stderr
    assert set((tmp_path / "ran").read_text().split()) == {MADE.BUILT}


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
