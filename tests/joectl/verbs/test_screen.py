"""The verb that takes the screen: it says a refusal first."""

from tests.daemon.serving import serving
from tests.joectl.running import environment, joectl


def test_without_textual_it_says_how_to_get_it(tmp_path):
    """And what does the same without."""
    (tmp_path / "textual").mkdir()
    (tmp_path / "textual" / "__init__.py").write_text("raise ModuleNotFoundError('no textual', name='textual')\n")
    with serving(tmp_path / "s"):
        paths = ":".join([str(tmp_path), environment()["PYTHONPATH"]])
        ran = joectl("top", state_dir=tmp_path / "s", env=environment(PYTHONPATH=paths))

    assert (ran.code, ran.out) == (1, "")
    assert "needs textual" in ran.err
    assert "joed[tui]" in ran.err


def test_without_a_daemon_it_ends_before_it_takes_the_screen(tmp_path):
    """3, as every verb does."""
    ran = joectl("top", state_dir=tmp_path)

    assert (ran.code, ran.out) == (3, "")
