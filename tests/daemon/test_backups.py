"""A copy of the record each session: verified before it counts, bounded in number, told of when it fails."""

import asyncio
import shutil
import sqlite3

import pytest

from joed.daemon.audit import verify
from joed.daemon.backups import Backups, make, names, newest
from joed.daemon.chain import JournalDamaged
from joed.daemon.places import places
from joed.model.state import Day, State
from joed.model.values import HOUR, MINUTE

OPEN, CLOSE = 10 * HOUR, 16 * HOUR


class Told:
    """An alerter and a log that keep what they are told."""

    def __init__(self):
        self.alerts, self.lines = [], []

    def alert(self, command):
        """Keep it."""
        self.alerts.append(command)

    def info(self, event, **fields):
        """Keep it."""
        self.lines.append((event, fields))

    error = info


@pytest.fixture
def where(held_world, tmp_path):
    """Give the places of a state directory with a record in it."""
    shutil.copytree(held_world, tmp_path / "s", ignore=shutil.ignore_patterns("run", "bars.db*"))
    found = places(tmp_path / "s")
    found.make()
    return found


def at(now, session="2026-09-01"):
    """Give a State at this time of a session's day."""
    return State(id_key=bytes(32), now=now, day=Day(session, OPEN, CLOSE))


def test_a_copy_holds_the_record_and_the_key_and_nobody_else_reads_them(where):
    """What a restore needs, checked by the same rules as the record itself; nothing half made is left beside it."""
    said = make(where, "2026-09-01", 30)

    copy = where.backup / "2026-09-01"
    assert sorted(each.name for each in copy.iterdir()) == ["id.key", "joed.db"]
    assert (copy / "id.key").read_bytes() == where.id_key.read_bytes()
    assert copy.stat().st_mode & 0o777 == 0o700
    assert said.startswith(f"{verify(where.root).records} records")
    assert [each.name for each in where.backup.iterdir()] == ["2026-09-01"]


def test_a_copy_that_does_not_hold_is_none(where):
    """A record that was changed behind the chain's back is found in the copy, and the copy goes."""
    base = sqlite3.connect(where.journal)
    guards = base.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in guards:
        base.execute(f"DROP TRIGGER {name}")
    base.execute("UPDATE records SET event = replace(event, 'paper', 'pager') WHERE seq < 20")
    for _, guard in guards:
        base.execute(guard)
    base.commit()
    base.close()

    with pytest.raises(JournalDamaged):
        make(where, "2026-09-01", 30)

    assert list(where.backup.iterdir()) == []


def test_the_oldest_go(where):
    """Three are kept of five, the newest."""
    for day in range(1, 6):
        make(where, f"2026-09-0{day}", 3)

    assert names(where.backup) == ["2026-09-03", "2026-09-04", "2026-09-05"]
    session, age_ns = newest(where.backup)
    assert (session, age_ns < HOUR) == ("2026-09-05", True)
    assert newest(where.root / "nowhere") is None


def test_it_is_made_once_after_the_close_while_joed_lives(where):
    """A minute after the last fill could come; not before, and not again at each look."""
    told, state = Told(), at(CLOSE)
    backups = Backups(where, 30, state, told.alert, told)

    async def looks():
        await backups.look()
        assert names(where.backup) == []
        state.now = CLOSE + MINUTE
        await backups.look()
        await backups.look()

    asyncio.run(looks())

    assert names(where.backup) == ["2026-09-01"]
    assert [event for event, _ in told.lines] == ["backup_made"]


def test_around_the_clock_it_is_made_when_the_day_has_turned(where):
    """The session that was is over in the moment in which the next begins; so is one that a crash ended."""
    told, state = Told(), at(CLOSE - HOUR)
    backups = Backups(where, 30, state, told.alert, told)

    async def looks():
        await backups.look()
        state.day = Day("2026-09-02", CLOSE, CLOSE + 24 * HOUR)
        await backups.look()

    asyncio.run(looks())

    assert names(where.backup) == ["2026-09-01"]


def test_a_copy_that_cannot_be_made_is_told_once(where, monkeypatch):
    """A disk without room: an alert, and no attempt every five seconds."""
    told = Told()
    backups = Backups(where, 30, at(CLOSE + HOUR), told.alert, told)
    monkeypatch.setattr("joed.daemon.backups.ROOM", 1 << 40)

    async def looks():
        await backups.look()
        await backups.look()

    asyncio.run(looks())

    assert [alert.key for alert in told.alerts] == ["backup_failed:2026-09-01"]
    assert "would be needed" in told.alerts[0].words
    assert names(where.backup) == []
