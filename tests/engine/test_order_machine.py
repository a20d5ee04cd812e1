"""One order under every sequence of words, fills, doubts, restarts, reads and hands, against a small model of its own.

The model knows no table: a rank for what is alive, one end, and the latest word on each execution.
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from joed.daemon.record import decode_state, encode_state
from joed.engine.life import AFTER_FILL, NEXT
from joed.engine.orders import reserved
from joed.engine.step import refold, step
from joed.model.commands import CancelOrder
from joed.model.events import (
    AmendRejected,
    BrokerUp,
    CancelRejected,
    CommandDropped,
    CommandSent,
    EpochStarted,
    OperatorAsked,
    OrderAccepted,
    OrderCancelled,
    OrderDoubted,
    OrderExpired,
    OrderRejected,
    OrderSeen,
    OrderWorking,
    Tick,
)
from joed.model.values import SECOND, Side, Status
from tests.engine.build import START, D, bracket, fill, trading_state, whole_read, without_bands

ENTRY = "AAPL-e"
S = Status
RANK = {S.ARMED: 0, S.SENT: 1, S.ACKED: 2, S.WORKING: 3, S.PARTIAL: 3}
"""How far an order that nobody doubts has come; words only take it further."""
ENDS = {OrderRejected: S.REJECTED, OrderCancelled: S.CANCELLED, OrderExpired: S.EXPIRED}
REACHED = {CommandSent: S.SENT, OrderAccepted: S.ACKED, OrderWorking: S.WORKING}
ASKED = 10


class Model:
    """What must be true of one entry: where it stands, and the newest revision of each execution."""

    def __init__(self):
        self.status, self.fills = S.ARMED, {}

    @property
    def filled(self):
        """Give the sum of the latest words."""
        return sum(quantity for _, quantity in self.fills.values())

    @property
    def open_to_reads(self):
        """Say whether a book may still change it: alive, or given up and wrongly so."""
        return not self.status.ended or self.status is S.ABSENT_PROVEN

    def hear(self, word):
        """Take a word in that is no fill."""
        kind, doubted = type(word), self.status in (S.UNCERTAIN, S.QUARANTINED)
        if self.status is S.ABSENT_PROVEN:
            self.status = REACHED[kind] if kind in (OrderAccepted, OrderWorking) else self.status
        elif self.status.ended or kind is AmendRejected:
            return
        elif kind in ENDS:
            self.status = ENDS[kind]
        elif kind is OrderDoubted:
            if not doubted or (word.candidates and self.status is S.UNCERTAIN):
                self.status = S.QUARANTINED if word.candidates else S.UNCERTAIN
        elif kind is CommandDropped:
            proven = self.status in (S.ARMED, S.CANCEL_ASKED, S.UNCERTAIN)
            self.status = S.ABSENT_PROVEN if proven else self.status
        elif kind is CancelRejected:
            self.status = S.UNCERTAIN if self.status is S.CANCEL_ASKED else self.status
        elif kind is CommandSent:
            self.status = S.SENT if self.status is S.ARMED else self.status
        elif doubted or RANK.get(self.status, 9) < RANK[REACHED[kind]]:
            self.status = REACHED[kind]

    def fill(self, root, revision, quantity):
        """Take an execution in, where it is news; say whether it was."""
        if root in self.fills and self.fills[root][0] >= revision:
            return False
        self.fills[root] = (revision, quantity)
        if self.filled >= ASKED:
            self.status = S.FILLED
        elif self.status is S.FILLED:
            self.status = S.ACKED
        elif self.status is S.ABSENT_PROVEN or not (self.status.ended or self.status is S.CANCEL_ASKED):
            self.status = S.PARTIAL
        return True

    def restart(self):
        """Doubt what was under way."""
        if self.status in (S.ARMED, S.SENT, S.ACKED, S.CANCEL_ASKED):
            self.status = S.UNCERTAIN


NAMED = [
    *(CommandSent(1, 0, ENTRY), CommandDropped(1, 0, ENTRY, "blocked"), OrderAccepted(ENTRY, "7")),
    *(OrderWorking(ENTRY, D(ASKED), D(200)), OrderRejected(ENTRY, "margin"), OrderCancelled(ENTRY)),
    *(OrderExpired(ENTRY), CancelRejected(ENTRY), AmendRejected(ENTRY)),
    *(OrderDoubted(ENTRY, "timed out"), OrderDoubted(ENTRY, "two", ("d1", "d2"))),
]


class OneOrder(RuleBasedStateMachine):
    """The engine and the model hear the same, in any order that a broken world may choose."""

    @initialize()
    def begin(self):
        """Send one bracket."""
        self.state, self.model, self.records, self.now = trading_state(), Model(), [], START
        self.first = encode_state(self.state)
        self.epoch = self.requests = 1
        self.fold(Tick(), [bracket("AAPL")])

    def fold(self, event, commands):
        """Let something have been decided."""
        refold(self.state, self.now, event, commands)
        self.records.append((self.now, event, commands))

    def turn(self, event):
        """Let a moment pass and something happen."""
        self.now += 1
        commands = step(self.state, self.now, event)
        self.records.append((self.now, event, commands))
        return commands

    @property
    def order(self):
        """Give the entry as the books have it."""
        return self.state.orders[ENTRY]

    @rule(word=st.sampled_from(NAMED))
    def hear(self, word):
        """Let the broker or the release say something, true or stale."""
        self.model.hear(word)
        self.turn(word)

    @rule(root=st.sampled_from("abc"), revision=st.integers(0, 2), quantity=st.integers(0, 6))
    def execute(self, root, revision, quantity):
        """Let an execution, its correction or its bust come, in whatever order."""
        self.model.fill(root, revision, quantity)
        self.turn(fill(ENTRY, str(quantity), "200", execution=root, revision=revision))

    @rule()
    def ask_to_cancel(self):
        """Ask for its end; what has ended or is in doubt stays as it was."""
        if not self.model.status.ended and not self.model.status.doubtful:
            self.model.status = S.CANCEL_ASKED
        self.fold(Tick(), [CancelOrder(ENTRY, "why")])

    @rule(word=st.sampled_from(NAMED))
    def ask_to_cancel_and_hear(self, word):
        """Let the answer to a cancel be anything."""
        self.ask_to_cancel()
        self.hear(word)

    @rule()
    def restart(self):
        """Let a new process take over."""
        self.epoch += 1
        self.model.restart()
        self.turn(EpochStarted(self.epoch, "crash", "0", "code"))
        self.turn(BrokerUp("paper", "DEMO", "paper", self.epoch))

    @rule(status=st.sampled_from([S.ACKED, S.WORKING]), whole=st.booleans())
    def read_shows_it(self, status, whole):
        """Let a read show it alive; an incomplete one may add as much."""
        if self.model.open_to_reads and self.model.status is not S.CANCEL_ASKED:
            self.model.status = status
        seen = OrderSeen(ENTRY, "7", "AAPL", Side.BUY, self.order.left, status, D(200))
        self.now += 1
        read = whole_read(self.now, connection=self.state.brokers["paper"].connection, orders=(seen,))
        self.turn(replace(read, complete=whole))

    @rule(status=st.sampled_from([S.CANCELLED, S.EXPIRED]))
    def read_ends_it(self, status):
        """Let a read show how it ended."""
        self.model.status = status if self.model.open_to_reads else self.model.status
        self.now += 1
        connection = self.state.brokers["paper"].connection
        self.turn(whole_read(self.now, connection=connection, ended={ENTRY: status}))

    @precondition(lambda self: self.model.status is not S.ARMED)
    @rule()
    def two_reads_lack_it(self):
        """Let two whole reads, far enough apart, show nothing of it: only a quarantined one outlives that."""
        connection = self.state.brokers["paper"].connection
        for _ in range(2):
            self.now += 6 * SECOND
            self.turn(whole_read(self.now, connection=connection))
        if not self.model.status.ended and self.model.status is not S.QUARANTINED:
            self.model.status = S.ABSENT_PROVEN

    @rule(deal=st.sampled_from(["absent", "d1", "d9"]))
    def resolve(self, deal):
        """Let a person settle a doubt: only where there is one, and only for what it could be."""
        known = deal == "absent" or (deal == "d1" and self.model.status is S.QUARANTINED)
        if self.model.status.doubtful and known:
            self.model.status = S.ABSENT_PROVEN if deal == "absent" else S.ACKED
        self.requests += 1
        args = {"order": ENTRY, "deal": deal}
        self.turn(OperatorAsked("resolve", f"r{self.requests}", 1000, 1000, 1, "seen there", args))

    @invariant()
    def they_agree(self):
        """Where it stands, and what has filled."""
        assert self.order.status is self.model.status
        assert self.order.filled == self.model.filled

    @invariant()
    def its_risk_is_reserved_while_it_may_fill(self):
        """In doubt it counts as unfilled and alive (I19); ended it reserves nothing."""
        live = not self.model.status.ended
        assert list(self.state.resting) == ([ENTRY] if live else [])
        assert reserved(self.state) == (self.order.left * self.order.terms if live else 0)

    @invariant()
    def what_filled_is_held_and_paid(self):
        """The position is the sum of executions, whatever the order's end (I10)."""
        position = self.state.positions.get("AAPL")
        assert (position.quantity if position else 0) == self.model.filled
        assert self.state.cash == 100_000 - 200 * self.model.filled

    @invariant()
    def one_signal_made_one_entry(self):
        """And never makes another (I7)."""
        assert len(self.state.spent) == 1

    def teardown(self):
        """Recovery folds the records to the State that lived."""
        state = decode_state(self.first, b"key")
        for now, event, commands in self.records:
            refold(state, now, event, commands)
        assert without_bands(state) == without_bands(self.state)


LEDGER = [status for status in Status if status is not S.PLANNED]
"""Every status that an order in the ledger can have."""


@pytest.mark.parametrize("status", LEDGER)
@pytest.mark.parametrize("word", NAMED, ids=lambda word: type(word).__name__)
def test_every_row_of_the_table_says_what_the_model_says(status, word):
    """Both ways round: no row is missing, none is too much, and each was hit."""
    model = Model()
    model.status = status
    model.hear(word)

    table = NEXT.get((status, type(word)), status)
    if isinstance(word, OrderDoubted) and word.candidates:
        table = S.QUARANTINED if table is S.UNCERTAIN else table
    assert table is model.status


@pytest.mark.parametrize("status", LEDGER)
@pytest.mark.parametrize("quantity", [4, ASKED])
def test_every_row_of_the_table_for_fills_says_what_the_model_says(status, quantity):
    """Whole and in part."""
    model = Model()
    model.status = status
    model.fill("a", 0, quantity)

    assert AFTER_FILL[status][quantity < ASKED] is model.status


TestOneOrder = OneOrder.TestCase
TestOneOrder.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
