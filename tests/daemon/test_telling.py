"""Each record told once, as soon as it is durable."""

import asyncio

from joed.daemon.telling import Teller, both
from tests.daemon.shell import until
from tests.daemon.test_desk import Office


async def test_each_record_is_told_once_from_the_next_one_on(tmp_path):
    """A second start does not tell the first one's day again."""
    office = Office(tmp_path)
    office.record(3)
    told = []
    teller = Teller(office.desk, lambda record: told.append(record.seq))
    await teller.tell()
    assert told == []

    office.record(2, first=4)
    for _ in range(2):
        await teller.tell()

    assert told == [4, 5]
    office.close()


async def test_news_is_told_without_being_asked(tmp_path):
    """The task sleeps until something is durable."""
    office, told = Office(tmp_path), []
    teller = Teller(office.desk, lambda record: told.append(record.seq))
    telling = asyncio.ensure_future(teller.run())
    await asyncio.sleep(0)

    office.record(1)
    teller.notice()
    await until(lambda: told)

    assert told == [1]
    telling.cancel()
    office.close()


def test_what_joins_later_does_not_silence_what_was_there():
    """The day's reports and the order lines of the log each hear every record."""
    heard = []

    both(heard.append, lambda record: heard.append(("report", record)))("a record")
    both(None, heard.append)("another")

    assert heard == ["a record", ("report", "a record"), "another"]
