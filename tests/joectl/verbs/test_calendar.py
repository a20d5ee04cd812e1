"""joectl calendar: market hours without a daemon; one that runs reads a closed day at once."""

from tests.joectl.running import joectl


def test_the_days_ahead_need_no_daemon(tmp_path):
    """They are read from the files that a start would read; one that was named and is not there is not made up."""
    missing = joectl("calendar", "--config", str(tmp_path / "joed.yaml"), state_dir=tmp_path)
    (tmp_path / "joed.yaml").touch()
    ran = joectl("calendar", "--days", "2", "--json", "--config", str(tmp_path / "joed.yaml"), state_dir=tmp_path)

    assert (missing.code, missing.out, ran.code) == (1, "", 0)
    assert [len(calendar["days"]) for calendar in ran.json["calendars"]] == [2]


def test_a_closed_day_is_written_though_no_daemon_runs(tmp_path):
    """The next start reads it; what is refused says why."""
    (tmp_path / "joed.yaml").touch()
    words = ("calendar", "close", "2028-03-01", "--reason", "a test", "--config", str(tmp_path / "joed.yaml"))

    ran, again = joectl(*words, state_dir=tmp_path), joectl(*words, state_dir=tmp_path)

    assert (ran.code, again.code) == (0, 1)
    assert "XNYS is closed on 2028-03-01" in ran.out
    assert "no session on 2028-03-01: a test" in again.err
    assert (tmp_path / "calendar.d" / "by-hand-xnys.yaml").exists()


def test_a_date_goes_with_close_alone(tmp_path):
    """Usage, before anything is read or written."""
    assert joectl("calendar", "close", state_dir=tmp_path).code == 2
    assert joectl("calendar", "show", "2028-03-01", state_dir=tmp_path).code == 2
