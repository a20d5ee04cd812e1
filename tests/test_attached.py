"""What the settings name in other files; the dates are tested with the files themselves (test_config.py)."""

import shutil
from hashlib import sha256

import pytest

from joed.attached import CODE_BYTES_MAX
from joed.config import load
from joed.errors import ConfigError


def written(folder, own):
    """Write joed.yaml with strategies of the user's own, and give its path."""
    (folder / "mine.py").write_text("def strategy(context): return []\n")
    (folder / "joed.yaml").write_text(f"strategies: {{own: {own}}}\n")
    return folder / "joed.yaml"


def test_a_file_is_known_by_its_hash_and_its_whole_path(tmp_path):
    """Whatever stands in `digest` by hand: the file's own word counts."""
    own = load(written(tmp_path, "{mine: {file: mine.py, digest: abc, params: {n: 1}}}")).strategies.own["mine"]

    assert own.file == str(tmp_path / "mine.py")
    assert own.digest == sha256((tmp_path / "mine.py").read_bytes()).hexdigest()
    assert own.params == {"n": "1"}


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ("{mine: {}}", "must name either a file or an entry point"),
        ("{mine: {file: mine.py, entry: mine}}", "must name either a file or an entry point"),
        ("{mine: {file: other.py}}", "other.py"),
        ("{mine: {entry: nobodys}}", "0 packages have the entry point 'nobodys'"),
    ],
)
def test_what_cannot_be_found_is_refused_at_the_start(tmp_path, own, words):
    """Not at the first minute of trading."""
    with pytest.raises(ConfigError) as raised:
        load(written(tmp_path, own))

    assert words in str(raised.value)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package of two modules with an entry point, and give its folder."""
    folder = tmp_path / "site" / "gapper"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('it was imported')\n")
    (folder / "rules.py").write_text("def strategy(context): return []\n")
    about = tmp_path / "site" / "gapper-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gapper\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[joed.strategies]\ngap = gapper.rules:strategy\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    return folder


def test_an_entry_point_is_known_by_every_file_of_its_package(tmp_path, package):
    """The same version with another line is another strategy; what is hashed is not run."""
    path = written(tmp_path, "{gap: {entry: gap}}")
    first = load(path).strategies.own["gap"].digest
    again = load(path).strategies.own["gap"].digest
    (package / "rules.py").write_text("def strategy(context): return [1]\n")
    changed = load(path).strategies.own["gap"].digest
    (package / "more.py").write_text("")

    assert first == again == sha256(code_before()).hexdigest()
    assert len({first, changed, load(path).strategies.own["gap"].digest}) == 3


def code_before():
    """Give the list that was hashed at first, by hand."""
    lines = ["raise SystemExit('it was imported')\n", "def strategy(context): return []\n"]
    hashes = [sha256(line.encode()).hexdigest() for line in lines]
    return f"gapper.rules:strategy\n__init__.py {hashes[0]}\nrules.py {hashes[1]}".encode()


def test_a_package_that_is_gone_or_too_large_is_refused(tmp_path, package):
    """Named at the start, with what is wrong."""
    path = written(tmp_path, "{gap: {entry: gap}}")
    (package / "data.so").write_bytes(b"")
    with (package / "data.so").open("wb") as large:
        large.truncate(CODE_BYTES_MAX)
    with pytest.raises(ConfigError, match="too large to be hashed"):
        load(path)
    shutil.rmtree(package)
    with pytest.raises(ConfigError, match="is not there"):
        load(path)
