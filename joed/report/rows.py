"""The journal as a report reads it: fills, orders, amendments, marks and words, by the SQL views, changing nothing."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec import Struct

from joed.daemon.chain import connect_readonly
from joed.daemon.record import decode_event
from joed.errors import ConfigError
from joed.model.blocks import Block
from joed.model.commands import AmendOrder, OpenSession, SubmitOrder
from joed.model.events import RegimeJudged, SessionEnded, SettingsLoaded
from joed.model.values import Side

IN_SESSION = "(:session IS NULL OR session = :session)"
"""What the word IN_SESSION in a query stands for: a session, None for all of them."""

_submit = msgspec.json.Decoder(SubmitOrder)
_amend = msgspec.json.Decoder(AmendOrder)


class Fill(Struct, frozen=True, gc=False):
    """One execution, in its latest word; `cash` is what it moved, fees included, exact."""

    seq: int
    at_ns: int
    session: str
    order: str
    execution: str
    instrument: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    leg: str

    @property
    def cash(self) -> Decimal:
        """Give what the account gained (a buy: lost), after the fee."""
        return -self.side.sign * self.quantity * self.price - self.fee


class Mark(Struct, frozen=True, gc=False):
    """What the account was worth at a moment."""

    at_ns: int
    session: str
    equity: Decimal


class BlockSpan(Struct, frozen=True):
    """A Block from its raising to its lifting; `to_ns` None: it stood at the end."""

    block: Block
    from_ns: int
    to_ns: int | None


class Ledger:
    """One journal, open to be read; a context manager."""

    def __init__(self, path: Path) -> None:
        """Open the journal; raise ConfigError where there is none."""
        if not path.is_file():
            raise ConfigError(f"no journal in {path.parent}")
        self.path = path
        self._db: sqlite3.Connection = connect_readonly(path)
        self._db.text_factory = str

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *raised: object) -> None:
        """Let go of the file."""
        self._db.close()

    def _rows(self, query: str, session: str | None = None) -> Iterator[tuple[Any, ...]]:
        with closing(self._db.execute(query.replace("IN_SESSION", IN_SESSION), {"session": session})) as found:
            yield from found

    def sessions(self) -> list[str]:
        """Name the sessions that were opened, oldest first."""
        query = "SELECT json FROM commands WHERE type = 'OpenSession' ORDER BY seq"
        return [msgspec.json.decode(text, type=OpenSession).session for (text,) in self._rows(query)]

    def fills(self, session: str | None = None) -> list[Fill]:
        """Give the executions, oldest first."""
        query = (
            'SELECT seq, at_ns, session, "order", execution, instrument, side, quantity, price, fee, leg FROM fills'
            " WHERE IN_SESSION"
        )
        return [
            Fill(seq, at, day, order, name, what, Side(side), Decimal(size), Decimal(price), Decimal(fee), leg or "")
            for seq, at, day, order, name, what, side, size, price, fee, leg in self._rows(query, session)
        ]

    def orders(self, session: str | None = None) -> dict[str, int]:
        """Count the orders of the view `orders` by leg: a bracket is three."""
        query = "SELECT leg, count(*) FROM orders WHERE IN_SESSION GROUP BY leg ORDER BY leg"
        return dict(self._rows(query, session))

    def submits(self) -> list[tuple[int, SubmitOrder]]:
        """Give all orders as they were decided, each with its seq."""
        query = "SELECT seq, json FROM commands WHERE type = 'SubmitOrder' ORDER BY seq"
        return [(seq, _submit.decode(text)) for seq, text in self._rows(query)]

    def amendments(self) -> list[tuple[int, AmendOrder]]:
        """Give all amendments as they were decided, each with its seq."""
        query = "SELECT seq, json FROM commands WHERE type = 'AmendOrder' ORDER BY seq"
        return [(seq, _amend.decode(text)) for seq, text in self._rows(query)]

    def confirmed(self) -> list[tuple[int, str, Decimal | None]]:
        """Give each word of a broker on an order's terms: seq, order, level."""
        query = (
            "SELECT seq, json_extract(event, '$.order'), json_extract(event, '$.level') FROM records"
            " WHERE kind = 'OrderWorking' ORDER BY seq"
        )
        return [(seq, order, None if level is None else Decimal(level)) for seq, order, level in self._rows(query)]

    def opened(self, session: str) -> OpenSession | None:
        """Give how a session began, None where it was not opened."""
        query = "SELECT json FROM commands WHERE type = 'OpenSession' AND IN_SESSION ORDER BY seq LIMIT 1"
        row = next(self._rows(query, session), None)
        return None if row is None else msgspec.json.decode(row[0], type=OpenSession)

    def ended(self, session: str) -> SessionEnded | None:
        """Give a session's last record, None where it has not been sealed."""
        query = "SELECT event FROM records WHERE kind = 'SessionEnded' AND IN_SESSION ORDER BY seq DESC LIMIT 1"
        row = next(self._rows(query, session), None)
        found = None if row is None else decode_event(row[0])
        assert found is None or isinstance(found, SessionEnded)
        return found

    def marks(self, session: str | None = None) -> list[Mark]:
        """Give what the account was worth, each minute of the session's regular hours."""
        query = "SELECT at_ns, session, equity FROM equity WHERE IN_SESSION ORDER BY seq"
        return [Mark(at_ns, day, Decimal(worth)) for at_ns, day, worth in self._rows(query, session)]

    def refusals(self, session: str | None = None) -> dict[str, int]:
        """Count the entries that were refused, by code."""
        query = (
            "SELECT json_extract(json, '$.code') AS code, count(*) FROM commands"
            " WHERE type = 'RefuseEntry' AND IN_SESSION GROUP BY code ORDER BY code"
        )
        return dict(self._rows(query, session))

    def alerts(self, session: str | None = None) -> list[tuple[int, str, str]]:
        """Give what people were told: when, how loudly, the words."""
        query = (
            "SELECT at_ns, json_extract(json, '$.severity'), json_extract(json, '$.words') FROM commands"
            " WHERE type = 'RaiseAlert' AND IN_SESSION ORDER BY seq"
        )
        return [(at_ns, severity, words) for at_ns, severity, words in self._rows(query, session)]

    def regimes(self, session: str) -> list[tuple[int, RegimeJudged]]:
        """Give the judgements of a session, oldest first."""
        query = "SELECT at_ns, event FROM records WHERE kind = 'RegimeJudged' AND IN_SESSION ORDER BY seq"
        found = [(at_ns, decode_event(text)) for at_ns, text in self._rows(query, session)]
        return [(at_ns, event) for at_ns, event in found if isinstance(event, RegimeJudged)]

    def regimes_all(self) -> list[tuple[int, str]]:
        """Give when each judgement was made and the regime that it named, of all sessions, oldest first."""
        query = (
            "SELECT at_ns, json_extract(event, '$.regime.name') FROM records WHERE kind = 'RegimeJudged' ORDER BY seq"
        )
        return list(self._rows(query))

    def rates(self) -> list[tuple[int, str, Decimal]]:
        """Give each rate to base currency as it was recorded: when, of which currency, what one unit is worth."""
        query = (
            "SELECT at_ns, json_extract(event, '$.currency'), json_extract(event, '$.rate') FROM records"
            " WHERE kind = 'RateSeen' ORDER BY seq"
        )
        return [(at_ns, currency, Decimal(str(rate))) for at_ns, currency, rate in self._rows(query)]

    def decided(self) -> list[tuple[str, Decimal | None]]:
        """Give the price that each entry was decided on, None where none was recorded."""
        found = [command for _, command in self.submits() if command.opens]
        return [(command.group or command.order, command.basis.price if command.basis else None) for command in found]

    def blocks(self, session: str) -> list[BlockSpan]:
        """Give what forbade entries in a session, in the order of its raising."""
        query = (
            "SELECT at_ns, type, json FROM commands WHERE type IN ('RaiseBlock', 'LiftBlock') AND IN_SESSION"
            ' ORDER BY seq, "index"'
        )
        spans: list[BlockSpan] = []
        standing: dict[str, int] = {}
        for at_ns, kind, text in self._rows(query, session):
            said = msgspec.json.decode(text)
            if kind == "RaiseBlock":
                block = msgspec.convert(said["block"], Block)
                if block.key not in standing:
                    standing[block.key] = len(spans)
                    spans.append(BlockSpan(block, at_ns, None))
            elif (place := standing.pop(said["key"], None)) is not None:
                spans[place] = msgspec.structs.replace(spans[place], to_ns=at_ns)
        return spans

    def settings(self) -> SettingsLoaded | None:
        """Give the settings and calendars that were last in force."""
        row = next(
            self._rows("SELECT event FROM records WHERE kind = 'SettingsLoaded' ORDER BY seq DESC LIMIT 1"), None
        )
        found = None if row is None else decode_event(row[0])
        assert found is None or isinstance(found, SettingsLoaded)
        return found

    def version(self) -> str:
        """Give the version of joed that wrote the newest records."""
        query = (
            "SELECT json_extract(event, '$.version') FROM records WHERE kind = 'EpochStarted' ORDER BY seq DESC LIMIT 1"
        )
        row = next(self._rows(query), None)
        return "" if row is None else str(row[0])
