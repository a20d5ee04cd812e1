"""What the settings name in other files; the dates are tested with the files themselves (test_config.py)."""

from hashlib import sha256

import pytest

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
