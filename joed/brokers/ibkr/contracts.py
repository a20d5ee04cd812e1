"""What TWS calls our instruments: one contract each, asked for once a day, or a reason why there is none.

A name that means nothing there, or several things, is set aside alone; the others trade. The price steps that TWS tells
are compared with ours: an order between two of them would be refused when it matters. So are its market hours, by the
engine. What was told today is on the shelf: a second start of the day asks for nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from joed.brokers.base import Clock, Emit
from joed.brokers.ibkr.hours import Told, told_of
from joed.brokers.ibkr.pacer import Pacer, Urgency
from joed.brokers.ibkr.reading import Asker
from joed.brokers.ibkr.shelf import Kept, Page, Shelf, day_of, fields_of
from joed.brokers.ibkr.translate import contract_of, number
from joed.model.feeds import BrokerExamined, HoursTold, InstrumentServed, InstrumentSetAside
from joed.model.settings import Instrument
from joed.model.values import DAY, SECOND

TRIES_MAX = 3
NOTE_NS = SECOND // 2
"""How long after a description the page is written, and hours are told: they come in a row."""
SAMPLES_MAX = 5
"""How many instruments are named in one sentence."""


@dataclass(slots=True)
class Listed:
    """One instrument as TWS lists it: the library's Contract, its price steps' rule, and its hours in TWS's words."""

    contract: Any
    con_id: int
    rule: int
    tick: Decimal | None
    zone: str
    liquid_hours: str
    asked_ns: int
    trading_hours: str = ""


@dataclass(slots=True)
class Question:
    """What was asked about an instrument, and what has come of it."""

    instrument: str
    rows: list[Any] = field(default_factory=list)
    tries: int = 1


class Contracts:
    """The instruments of one broker. `on_listed` hears of each that has its contract."""

    def __init__(  # noqa: PLR0913 - the link hands in each part by name
        self,
        name: str,
        instruments: dict[str, Instrument],
        primary: dict[str, str],
        *,
        clock: Clock,
        pacer: Pacer,
        emit: Emit,
        answer_s: float,
        shelf: Shelf | None = None,
        extended: bool = False,
    ) -> None:
        """Know nothing yet; `extended` is whether the hours before the open and after the close count as hours."""
        self.listed: dict[str, Listed] = {}
        self.aside: dict[str, str] = {}
        self.rules: dict[int, tuple[tuple[Decimal, Decimal], ...]] = {}
        self._name = name
        self._instruments, self._primary = instruments, primary
        self._clock, self._pacer, self._emit = clock, pacer, emit
        self._answer_ns = int(answer_s * SECOND)
        self.on_listed: Callable[[str], None] = _nobody
        self._shelf, self._extended = shelf or Shelf(None), extended
        self._told: dict[str, Told] = {}
        self._noting = False
        self._asker: Asker | None = None
        self._make: Callable[..., Any] | None = None
        self._questions: dict[int, Question] = {}
        self._asked: set[str] = set()
        self._names: dict[int, str] = {}
        self._symbols = {_key(contract_of(row)): row.symbol for row in instruments.values() if _speakable(row)}

    def begin(self, asker: Asker, make: Callable[..., Any]) -> None:
        """Ask over this link for what is not known, or is of another day; `make` is the library's Contract."""
        self._asker, self._make = asker, make
        self._questions, self._asked = {}, set()
        now = self._clock.now()
        self._take_down(now)
        for instrument in self._instruments:
            known = self.listed.get(instrument)
            if known is not None and now - known.asked_ns < DAY:
                self.on_listed(instrument)
            else:
                self.ask(instrument)

    def abort(self) -> None:
        """Expect no answer any more."""
        self._asker, self._questions, self._asked = None, {}, set()

    def ask(self, instrument: str, tries: int = 1) -> None:
        """Ask for the contract of an instrument, as soon as there is room."""
        row = self._instruments.get(instrument)
        if row is None or instrument in self._asked or self._asker is None:
            return
        if not _speakable(row):
            self.set_aside(instrument, "kind", f"{row.kind} has no name at Interactive Brokers")
            return
        self._asked.add(instrument)
        self._pacer.when(Urgency.STREAM, lambda: self._send(row, tries))

    def _send(self, row: Instrument, tries: int) -> None:
        if self._asker is None or self._make is None:
            return
        request = self._asker.next_id()
        self._questions[request] = Question(row.symbol, tries=tries)
        described = self._make(**contract_of(row, self._primary.get(row.symbol, "")))
        self._asker.send("reqContractDetails", request, described)
        self._clock.call_at(self._clock.now() + self._answer_ns, lambda: self._expect(request))

    def _expect(self, request: int) -> None:
        """Ask again where nothing came, a few times."""
        question = self._questions.pop(request, None)
        if question is None:
            return
        self._asked.discard(question.instrument)
        if question.tries < TRIES_MAX:
            self.ask(question.instrument, question.tries + 1)
        else:
            self.set_aside(question.instrument, "silent", f"TWS does not describe it, asked {TRIES_MAX} times")

    def details(self, request: int, details: Any) -> None:
        """Keep one description; the library's ContractDetails."""
        if (question := self._questions.get(request)) is not None:
            question.rows.append(details)

    def details_end(self, request: int) -> None:
        """Judge what was described: one contract, or none that could be chosen."""
        if (question := self._questions.pop(request, None)) is None:
            return
        row = self._instruments[question.instrument]
        rows = {one.contract.conId: one for one in question.rows if one.contract.currency == _currency(row)}
        if len(rows) == 1:
            self._list(row, next(iter(rows.values())))
        elif not rows:
            self.set_aside(row.symbol, "unknown", f"no contract in {_currency(row)} has this name")
        else:
            names = ", ".join(f"{one.contract.primaryExchange or one.contract.exchange}" for one in rows.values())
            words = f"{len(rows)} contracts have this name ({names}): name one in ibkr.primary"
            self.set_aside(row.symbol, "ambiguous", words)

    def refused(self, request: int, code: int, words: str) -> bool:
        """Take an error about a question; False where it is about none of ours."""
        question = self._questions.pop(request, None)
        if question is None:
            return False
        kind = "ambiguous" if "ambiguous" in words.lower() else "unknown"
        self.set_aside(question.instrument, kind, f"{code}: {words}")
        return True

    def _list(self, row: Instrument, details: Any) -> None:
        contract = details.contract
        route = contract_of(row, self._primary.get(row.symbol, ""))["exchange"]
        contract.exchange = route or contract.exchange
        exchanges, rules = details.validExchanges.split(","), details.marketRuleIds.split(",")
        rule = dict(zip(exchanges, rules, strict=False)).get(contract.exchange, rules[0])
        self.listed[row.symbol] = Listed(
            contract,
            contract.conId,
            int(rule) if rule.isdigit() else 0,
            number(details.minTick),
            details.timeZoneId,
            details.liquidHours,
            self._clock.now(),
            details.tradingHours,
        )
        self._names[contract.conId] = row.symbol
        if self.aside.pop(row.symbol, None) is not None:
            self._emit(InstrumentServed(self._name, row.symbol))
        self._ask_rule(self.listed[row.symbol].rule)
        self._note_soon()
        self.on_listed(row.symbol)

    def _take_down(self, now: int) -> None:
        """Take what this day's page knows, where it was asked for in the same words; what it lacks is asked for."""
        page = self._shelf.load(now)
        if self._make is None or self.listed:
            return
        for symbol, kept in page.rows.items():
            row = self._instruments.get(symbol)
            if row is None or not _speakable(row) or kept.asked != contract_of(row, self._primary.get(symbol, "")):
                continue
            tick = Decimal(kept.tick) if kept.tick else None
            hours = (kept.zone, kept.liquid_hours, kept.asked_ns, kept.trading_hours)
            contract = self._make(**kept.contract)
            self.listed[symbol] = Listed(contract, contract.conId, kept.rule, tick, *hours)
            self._names[contract.conId] = symbol
        for rule, steps in page.rules.items():
            self._take_rule(int(rule), tuple((Decimal(edge), Decimal(step)) for edge, step in steps))
        for listed in self.listed.values():
            self._ask_rule(listed.rule)
        if self.listed:
            self._note_soon()

    def _note_soon(self) -> None:
        """Tell of hours and fill the page once no more comes for a moment."""
        if not self._noting:
            self._noting = True
            self._clock.call_at(self._clock.now() + NOTE_NS, self._note)

    def _note(self) -> None:
        self._noting = False
        if self._asker is None:
            return
        groups: dict[Told, list[str]] = {}
        for symbol, listed in self.listed.items():
            told = told_of(listed.trading_hours if self._extended else listed.liquid_hours, listed.zone)
            if told is not None and self._told.get(symbol) != told:
                self._told[symbol] = told
                groups.setdefault(told, []).append(symbol)
        for told, symbols in groups.items():
            self._emit(HoursTold(self._name, tuple(symbols), told.spans, told.from_ns, told.until_ns))
        page = Page(day_of(self._clock.now()))
        for symbol, listed in self.listed.items():
            if day_of(listed.asked_ns) == page.day:
                page.rows[symbol] = self._kept(symbol, listed)
        page.rules = {str(rule): [(str(edge), str(step)) for edge, step in rows] for rule, rows in self.rules.items()}
        self._shelf.save(page)

    def _kept(self, symbol: str, listed: Listed) -> Kept:
        return Kept(
            contract_of(self._instruments[symbol], self._primary.get(symbol, "")),
            fields_of(listed.contract),
            listed.rule,
            "" if listed.tick is None else str(listed.tick),
            listed.zone,
            listed.liquid_hours,
            listed.trading_hours,
            listed.asked_ns,
        )

    def _ask_rule(self, rule: int) -> None:
        """Ask for the price steps of a rule, once."""
        if rule and rule not in self.rules:
            self.rules[rule] = ()
            self._pacer.when(Urgency.STREAM, lambda: self._send_rule(rule))

    def _send_rule(self, rule: int) -> None:
        if self._asker is not None:
            self._asker.send("reqMarketRule", rule)

    def market_rule(self, rule: int, steps: Any) -> None:
        """Take a rule's price steps; the library's PriceIncrements."""
        rows = ((number(step.lowEdge) or Decimal(0), number(step.increment) or Decimal(0)) for step in steps)
        self._take_rule(rule, tuple(rows))
        self._note_soon()

    def _take_rule(self, rule: int, steps: tuple[tuple[Decimal, Decimal], ...]) -> None:
        """Know a rule's price steps, and tell where ours are other ones."""
        self.rules[rule] = steps
        if not steps:
            del self.rules[rule]
            return
        ours = [name for name, listed in self.listed.items() if listed.rule == rule]
        wrong = [name for name in ours if not self.fits(name)]
        if wrong:
            first = wrong[0]
            words = (
                f"{', '.join(wrong[:SAMPLES_MAX])}: the tick of {first} is {self._instruments[first].tick} in the "
                f"universe, prices go by {self.rules[rule][0][1]} there: set its tick"
            )
            self._emit(BrokerExamined(self._name, f"ticks {rule}", ok=False, words=words))

    def fits(self, instrument: str) -> bool:
        """Say whether each price that our tick allows is one that the broker takes; True where it does not say."""
        steps = self.rules.get(self.listed[instrument].rule) or ()
        tick = self._instruments[instrument].tick
        return all(not increment or tick % increment == 0 for _edge, increment in steps)

    def name_of(self, contract: Any) -> str:
        """Give our name for a contract, TWS's own where it is none of ours."""
        if (name := self._names.get(contract.conId)) is not None:
            return name
        fields = {"secType": contract.secType, "symbol": contract.symbol, "currency": contract.currency}
        return self._symbols.get(_key(fields)) or contract.localSymbol or contract.symbol

    def currency_of(self, instrument: str, currency: str) -> str:
        """Give the currency of an execution as our events name it: "" where it is the instrument's own."""
        row = self._instruments.get(instrument)
        return "" if row is not None and currency in ("", row.currency) else currency

    def set_aside(self, instrument: str, code: str, words: str) -> None:
        """Leave an instrument alone, and say why, once."""
        if self.aside.get(instrument) != code:
            self.aside[instrument] = code
            self._emit(InstrumentSetAside(self._name, instrument, code, words))

    def served(self, instrument: str) -> None:
        """Take an instrument back."""
        if self.aside.pop(instrument, None) is not None:
            self._emit(InstrumentServed(self._name, instrument))


def _nobody(_instrument: str) -> None:
    """Hear of a contract before anybody wants to."""


def _speakable(row: Instrument) -> bool:
    try:
        contract_of(row)
    except KeyError:
        return False
    return True


def _key(fields: dict[str, Any]) -> tuple[str, str, str]:
    return fields["secType"], fields["symbol"], fields.get("currency", "")


def _currency(row: Instrument) -> str:
    """Give the currency that TWS has for an instrument: a pair's is its second one."""
    return str(contract_of(row).get("currency", "")) or row.currency
