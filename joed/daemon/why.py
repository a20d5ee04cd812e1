"""What `joectl why` asks of the record: finds the entries that a name stands for, and what lies before each of them."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from joed.daemon.reads import Record, about, describe, stem
from joed.daemon.story import Source, refusal_of, stems, story_of, with_position
from joed.model.commands import Command, RefuseEntry, SubmitOrder
from joed.model.events import Candidate, MarketScanned, SettingsLoaded, TriggersMade, WatchlistScored
from joed.model.settings import Settings
from joed.model.triggers import Trigger
from joed.model.view import View

STORIES_MAX = 10
"""Entries told at once, the newest; an instrument may have had more."""
SUBMITTED, REFUSED = '"type":"SubmitOrder"', '"type":"RefuseEntry"'


class Records(Protocol):
    """Where the record is read; nothing of it is past the durable horizon."""

    async def records(self, since: int, limit: int, order: str = "") -> Sequence[Record]:
        """Give at most `limit` durable records after seq `since`, oldest first; with `order` those that name it."""

    async def search(self, event: Sequence[str], commands: Sequence[str], before: int, limit: int) -> Sequence[Record]:
        """Give at most `limit` durable records before a seq that hold all these words, the newest first."""


async def why(source: Records, subject: str, shown: View, limit: int) -> dict[str, Any]:
    """Give the stories that an order, an instrument or a signal stands for, oldest first, and what there is now."""
    found = await _decisions(source, subject, shown.seq + 1)
    stories = [await _story(source, record, command, shown, limit) for record, command in found]
    waiting = [trigger for trigger in shown.triggers if subject in {trigger.instrument, trigger.signal}]
    name = stem(subject)
    return {
        "subject": subject,
        "stories": stories,
        "waiting": waiting,
        "now": [order for order in shown.orders if name in {stem(order.order), order.instrument}],
        "records": [] if stories else await _plain(source, subject, limit),
        "utc_offset_ns": shown.utc_ns - shown.now_ns,
        "timezone": shown.clock.timezone,
        "base_currency": shown.base_currency,
    }


async def _decisions(source: Records, subject: str, before: int) -> list[tuple[Record, Command]]:
    """Find the newest entries, sent or refused, that a name stands for."""
    name = stem(subject)
    word = name if name != subject else _quoted(subject)
    sent = await source.search((), (SUBMITTED, word), before, STORIES_MAX)
    refused = await source.search((), (REFUSED, _quoted(subject)), before, STORIES_MAX)
    issued = [command for record in sent for command in record.commands if isinstance(command, SubmitOrder)]
    groups = {name, *(stem(command.group) for command in issued if stem(command.order) == name and command.group)}
    found: dict[tuple[int, int], tuple[Record, Command]] = {}
    for record in (*sent, *refused):
        for index, command in enumerate(record.commands):
            if isinstance(command, SubmitOrder):
                mine = command.opens and (stem(command.order) in groups or subject in _names(command))
            else:
                mine = isinstance(command, RefuseEntry) and subject in _names(command)
            if mine:
                found[record.seq, index] = (record, command)
    return [found[at] for at in sorted(found)[-STORIES_MAX:]]


def _names(command: SubmitOrder | RefuseEntry) -> set[str]:
    return {command.instrument, command.signal} - {""}


def _quoted(word: str) -> str:
    """Give a name as it stands in the record's JSON."""
    return msgspec.json.encode(word).decode()


async def _story(source: Records, record: Record, command: Command, shown: View, limit: int) -> dict[str, Any]:
    """Tell one entry, with what lies before it and what came of it."""
    if isinstance(command, RefuseEntry):
        return refusal_of(record, command, await _source(source, record, command))
    assert isinstance(command, SubmitOrder)
    before = await _source(source, record, command)
    own = await source.records(record.seq - 1, limit, command.order)
    names = stems(stem(command.order), own)
    if len(names) > 1:
        others = [await source.records(record.seq, limit, f"{name}-") for name in names[1:]]
        every = {found.seq: found for found in (*own, *(found for page in others for found in page))}
        own = [every[seq] for seq in sorted(every)]
    held = next((row for row in shown.positions if row.order == command.order), None)
    return with_position(story_of(record, command, before, own), held)


async def _source(source: Records, record: Record, command: SubmitOrder | RefuseEntry) -> Source:
    """Find the settings in force, the Trigger that fired, and the score that its instrument had."""
    found = Source(Settings())
    for loaded in await source.search(('"type":"SettingsLoaded"',), (), record.seq, 1):
        assert isinstance(loaded.event, SettingsLoaded)
        found.settings = loaded.event.settings
    for made in await source.search(('"type":"TriggersMade"', _quoted(command.signal)), (), record.seq, 1):
        found.trigger, found.trigger_ns = _trigger(made, command.signal), made.now_ns
    name = f'"instrument":{_quoted(command.instrument)}'
    pages = [await source.search((f'"type":"{kind}"', name), (), record.seq, 1) for kind in SCORED]
    newest = max((found for page in pages for found in page), key=lambda scored: scored.seq, default=None)
    if newest is not None:
        found.score, found.score_ns = _score(newest, command.instrument), newest.now_ns
    return found


SCORED = ("WatchlistScored", "MarketScanned")


def _trigger(record: Record, signal: str) -> Trigger | None:
    assert isinstance(record.event, TriggersMade)
    return next((trigger for trigger in record.event.triggers if trigger.signal == signal), None)


def _score(record: Record, instrument: str) -> Candidate | None:
    assert isinstance(record.event, WatchlistScored | MarketScanned)
    return next((row for row in record.event.watchlist if row.instrument == instrument), None)


async def _plain(source: Records, subject: str, limit: int) -> list[dict[str, Any]]:
    """Give the bare records of an order that no entry of ours explains."""
    name = stem(subject)
    rows = await source.records(0, limit, subject)
    return [describe(row) for row in rows if about(row, (name,))]
