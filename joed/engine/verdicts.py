"""What is seen in a broker's book and not in ours, the verdict on it, and what is done: one table.

Books are changed at once by whoever reads (reconcile, life, positions); the finding is kept for this one step, and
stands in the record as a JudgeBooks beside its cause. Only HALT and a late adoption do more than the table's words.
"""

from typing import NamedTuple

from joed.model.commands import Command, JudgeBooks, LatchKill, RaiseAlert
from joed.model.events import Event
from joed.model.orders import Order
from joed.model.state import State
from joed.model.values import Scope, Severity, Verdict

KEPT_MAX = 100
"""Verdicts kept for people; the record has all."""


class Row(NamedTuple):
    """The verdict on one kind of finding, and what follows from it."""

    verdict: Verdict
    done: str


KNOWN, BEHIND, ENDED, MISSED = "order_known", "order_behind", "order_ended", "fill_missed"
CASH, LATE, ABSENT, MISFIT = "cash_differs", "late_adopted", "order_absent", "exit_misfit"
BARE = "stop_missing"
DIFFERS, EXTERNAL, TWINS = "position_differs", "position_external", "two_orders"
UNDEAD, RECOVERED = "order_undead", "order_recovered"
ADJUSTED, RESIZED = "split_taken_over", "held_resized"

VERDICTS: dict[str, Row] = {
    KNOWN: Row(Verdict.ADOPT, "an order in doubt lives on as the broker shows it"),  # reliability B1
    BEHIND: Row(Verdict.ADOPT, "an order's status, size or level is the broker's"),
    MISSED: Row(Verdict.ADOPT, "an execution that was not heard is booked"),  # B2
    ENDED: Row(Verdict.ADOPT, "an order ends as the broker tells"),  # B3
    CASH: Row(Verdict.ADOPT, "cash is the broker's"),
    LATE: Row(Verdict.ADOPT, "an order given up lives: its risk counts again, its stop is checked, an alert"),  # F78
    ABSENT: Row(Verdict.REPAIR, "an order missing twice ends, is never sent again, and a lost stop is replaced"),  # B7
    BARE: Row(Verdict.REPAIR, "a position's stop is gone: another is placed where it stood"),  # B5
    MISFIT: Row(Verdict.REPAIR, "an exit is resized to what is held, or cancelled where nothing is"),  # F68
    DIFFERS: Row(Verdict.FREEZE, "no entries in the instrument from the first sight on"),  # B8
    EXTERNAL: Row(Verdict.FREEZE, "seen twice: counted in exposure, never touched"),  # B8
    ADJUSTED: Row(Verdict.ADOPT, "a split or dividend that the dates name: books, trail and exits follow, an alert"),
    RESIZED: Row(Verdict.FREEZE, "changed over the night, and no date says why: left alone until a person has looked"),
    TWINS: Row(Verdict.FREEZE, "both count; the one without fills is cancelled, nothing is amended"),  # B6
    UNDEAD: Row(
        Verdict.FREEZE, "an order that ended in our books lives: an entry is cancelled, a person decides"
    ),  # I11
    RECOVERED: Row(Verdict.HALT, "an order of ours that the journal lacks is adopted, and entries are killed"),  # B9
}
"""Every finding has a row here; a code without one is a fault of ours."""


def find(state: State, what: str, broker: str, words: str, order: Order | None = None, instrument: str = "") -> None:
    """Keep a finding until this step has told of it (part of `apply`)."""
    name, symbol = ("", instrument) if order is None else (order.order, order.instrument)
    state.found.append(JudgeBooks(broker, VERDICTS[what].verdict, what, words, name, symbol))


def judged(what: str, order: Order, words: str) -> JudgeBooks:
    """Give the verdict on what was decided about one order."""
    return JudgeBooks(order.broker, VERDICTS[what].verdict, what, words, order.order, order.instrument)


def tell(state: State, now: int, event: Event, commands: list[Command]) -> None:
    """Put what this event showed into the record; halt and alert where the verdict says so."""
    for found in state.found:
        commands.append(found)
        if found.verdict is Verdict.HALT and state.killed is None and not any(map(_latches, commands)):
            commands.append(LatchKill(Scope.ENTRIES, f"{found.order} is ours and not in the journal"))
        if found.what in (LATE, RECOVERED):
            words = f"{found.order} ({found.instrument}): {found.words}. {VERDICTS[found.what].done}"
            severity = Severity.CRITICAL if found.what == RECOVERED else Severity.WARNING
            commands.append(RaiseAlert(f"{found.what}:{found.order}:{now}", severity, words))


def _latches(command: Command) -> bool:
    return isinstance(command, LatchKill)


def apply_judged(state: State, now: int, command: JudgeBooks) -> None:
    """Remember the latest for people."""
    state.verdicts.append(command)
    del state.verdicts[:-KEPT_MAX]


def begin(state: State) -> None:
    """Forget what the word before showed (part of `apply`)."""
    if state.found:
        state.found = []
