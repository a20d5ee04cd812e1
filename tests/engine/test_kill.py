"""The kill: four scopes, never narrowed, pressed until the broker's evidence shows it done, told when it is not."""

import pytest

from joed.engine.receipt import receipt_of
from joed.engine.step import refold, step
from joed.model.commands import (
    AmendOrder,
    CancelForeign,
    CancelOrder,
    LatchKill,
    RaiseAlert,
    ReadBroker,
    RetireOrder,
    SettleKill,
    SubmitOrder,
)
from joed.model.events import (
    BrokerDown,
    BrokerUp,
    CommandDropped,
    EpochStarted,
    LatchGone,
    LatchSeen,
    OrderCancelled,
    OrderSeen,
    PositionSeen,
    Tick,
)
from joed.model.values import SECOND, Leg, Scope, Severity, Side, Status
from tests.engine.build import (
    START,
    D,
    armed,
    bracket,
    fill,
    holding,
    kinds,
    of_kind,
    quote,
    stop_of,
    submitted,
    trading_state,
    trigger,
    whole_read,
)
from tests.engine.test_operator import ask, code


def alerts(commands):
    """Give the alerts' severities and words."""
    return [(alert.severity, alert.words) for alert in of_kind(commands, RaiseAlert)]


def resting(*symbols, state=None):
    """Give a State in which these entries rest at the broker."""
    state = state or trading_state()
    for symbol in symbols:
        submitted(state, bracket(symbol))
    return state


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("entries", ["LatchKill", "RaiseAlert", "SettleKill", "Answer"]),
        ("orders", ["LatchKill", "RaiseAlert", "CancelOrder", "Answer"]),
        ("flatten", ["LatchKill", "RaiseAlert", "CancelOrder", "AmendOrder", "Answer"]),
        ("account", ["LatchKill", "RaiseAlert", "CancelOrder", "AmendOrder", "ReadBroker", "Answer"]),
    ],
)
def test_a_kill_reaches_as_far_as_its_scope(scope, expected):
    """Entries are shut, resting ones cancelled, positions closed; protection stays until they are."""
    state = resting("MSFT", state=holding("AAPL"))

    assert kinds(ask(state, "kill", scope=scope)) == expected
    assert state.killed is Scope(scope)


def test_a_kill_shuts_every_entry_at_once():
    """The next crossing is refused (I3)."""
    state = armed(trigger())
    ask(state, "kill", scope="entries")

    [refused] = step(state, START, quote("AAPL", 200.0))

    assert refused.code == "blocked"


def test_the_widest_kill_holds():
    """A narrower one after it changes nothing but says who asked; a wider one widens, and is begun anew."""
    state = trading_state()
    for scope, holds in (("orders", "orders"), ("entries", "orders"), ("account", "account"), ("flatten", "account")):
        commands = ask(state, "kill", scope=scope)
        assert (state.killed, state.kill.scope) == (holds, holds)
        assert len(of_kind(commands, LatchKill)) == 1
        assert commands[-1].words.startswith(holds)

    assert code(ask(state, "kill", scope="everything")) == "unknown_scope"


@pytest.mark.parametrize("scope", Scope)
def test_a_kill_file_is_honoured_whoever_made_it_and_at_the_start(scope):
    """Found by the shell while running, or there before anything was connected; what is known is not said again."""
    found, started = resting("MSFT"), resting("MSFT")

    step(found, START, LatchSeen(scope, 1000))
    step(started, START, EpochStarted(2, "start", "0", "c", killed=scope))

    assert (found.killed, started.killed) == (scope, scope)
    assert of_kind(step(started, START, LatchSeen(scope, 1000)), LatchKill) == []


def test_a_restart_under_a_narrower_file_narrows_nothing_and_a_wider_one_widens():
    """What the journal knows and what the file says: the wider of the two holds."""
    state = trading_state()
    ask(state, "kill", scope="flatten")

    step(state, START, EpochStarted(2, "start", "0", "c", killed=Scope.ENTRIES))
    after_narrow = state.killed
    step(state, START, EpochStarted(3, "start", "0", "c", killed=Scope.ACCOUNT))

    assert (after_narrow, state.killed, state.kill.scope) == ("flatten", "account", "account")


def test_a_kill_cancels_no_entry_twice():
    """What was asked to end is not asked again by the same hand."""
    state = resting("MSFT")
    ask(state, "kill")

    assert of_kind(ask(state, "kill"), CancelOrder) == []


def test_a_flatten_goes_on_each_second_until_the_broker_shows_flat():
    """The target first; a market close after the time-out; never two at once."""
    state = holding("AAPL")
    step(state, START, quote("AAPL", 200.0))
    first = ask(state, "kill", scope="flatten")
    sent = [of_kind(step(state, START + second * SECOND, Tick()), SubmitOrder) for second in range(1, 61)]

    assert "AmendOrder" in kinds(first)
    assert [second for second, orders in enumerate(sent, start=1) if orders] == [30]


@pytest.mark.parametrize("scope", ["orders", "flatten", "account"])
def test_no_kill_cancels_the_stop_of_an_open_position(scope):
    """Whatever the scope, and however long it takes (I6)."""
    state = resting("MSFT", state=holding("AAPL"))
    asked = ask(state, "kill", scope=scope)
    for second in range(1, 61):
        asked += step(state, START + second * SECOND, Tick())

    assert stop_of("AAPL") not in [cancel.order for cancel in of_kind(asked, CancelOrder)]


def test_a_kill_is_done_when_the_broker_has_said_so_and_not_before():
    """The receipt says what is under way, then what became of it; one alert tells of the end."""
    state = resting("MSFT", "KO")
    ask(state, "kill")
    asked = receipt_of(state)
    step(state, START + SECOND, OrderCancelled("MSFT-e", "asked"))
    half = receipt_of(state)
    last = step(state, START + 2 * SECOND, fill("KO-e", "10", "200.00", symbol="KO"))
    done = receipt_of(state)

    assert [receipt.done for receipt in (asked, half, done)] == [False, False, True]
    assert asked.counts == {"asked": 2}
    assert half.waits == ("entry KO-e (KO): it is cancel asked",)
    assert done.counts == {"cancelled": 1, "filled": 1, "kept": 1}
    assert done.done_s == 2.0
    assert SettleKill() in last
    assert alerts(last) == [(Severity.INFO, "orders: done 2.0 s after the kill: 1 cancelled, 1 filled, 1 kept")]


def test_a_kill_that_finds_nothing_is_done_at_once():
    """Nothing rests, nothing is held: the answer's receipt says so."""
    state = trading_state()

    assert SettleKill() in ask(state, "kill", scope="flatten")
    assert receipt_of(state).done


def test_a_kill_that_is_not_done_in_time_says_what_is_open_and_why_once():
    """After `kill_late_s` a person hears of it; the receipt goes on."""
    state = resting("MSFT")
    ask(state, "kill")
    step(state, START + SECOND, BrokerDown("paper", "cut"))
    early = step(state, START + 14 * SECOND, Tick())
    late = step(state, START + 15 * SECOND, Tick())
    later = step(state, START + 16 * SECOND, Tick())

    said = [words for severity, words in alerts(late) if severity is Severity.CRITICAL]
    assert (alerts(early), alerts(later)) == ([], [])
    assert len(said) == 1
    assert "not done after 15 s: paper does not answer: the cancels are first when it is back" in said[0]


def test_the_cancels_leave_first_when_the_broker_is_back():
    """Before its book is asked for, and again: the link may have lost the first ones (F91)."""
    state = resting("MSFT")
    ask(state, "kill")
    step(state, START + SECOND, CommandDropped(1, 0, "MSFT-e", "not connected", "CancelOrder"))
    step(state, START + SECOND, BrokerDown("paper", "cut"))

    back = step(state, START + 9 * SECOND, BrokerUp("paper", "DEMO", "paper", 2))

    assert kinds(back)[0] == "CancelOrder"
    assert kinds(back).index("CancelOrder") < kinds(back).index("ReadBroker")


def test_a_kill_of_entries_alone_cancels_nothing_when_the_broker_is_back():
    """What rests was left to rest."""
    state = resting("MSFT")
    ask(state, "kill", scope="entries")
    step(state, START + SECOND, BrokerDown("paper", "cut"))

    assert of_kind(step(state, START + 9 * SECOND, BrokerUp("paper", "DEMO", "paper", 2)), CancelOrder) == []


def test_an_entry_that_comes_alive_after_the_kill_was_done_takes_that_back():
    """The broker shows what we were sure was gone: it is cancelled, and a person hears of it."""
    state = resting("MSFT")
    ask(state, "kill")
    step(state, START, Tick())
    for _ in (1, 2):  # gone by two whole reads
        step(state, START + 10 * SECOND, whole_read(START + 10 * SECOND))
    step(state, START + 20 * SECOND, whole_read(START + 20 * SECOND))
    step(state, START + 21 * SECOND, Tick())
    assert (state.orders["MSFT-e"].status, receipt_of(state).done) == (Status.ABSENT_PROVEN, True)

    seen = OrderSeen("MSFT-e", "7", "MSFT", Side.BUY, D(10), Status.WORKING, D(200))
    back = step(state, START + 22 * SECOND, whole_read(START + 22 * SECOND, orders=(seen,)))
    next_second = step(state, START + 23 * SECOND, Tick())

    assert SettleKill(done=False) in back
    assert Severity.CRITICAL in [severity for severity, _ in alerts(back)]
    assert [cancel.order for cancel in of_kind([*back, *next_second], CancelOrder)] == ["MSFT-e"]
    assert not receipt_of(state).done


def test_a_file_that_vanishes_lifts_nothing():
    """The Block stays; a person hears that somebody took the file away."""
    state = trading_state()
    ask(state, "kill")

    commands = step(state, START, LatchGone())

    assert [severity for severity, _ in alerts(commands)] == [Severity.CRITICAL]
    assert (state.killed, "all/killed" in state.blocks) == (Scope.ORDERS, True)
    assert step(trading_state(), START, LatchGone()) == []


def test_an_account_kill_clears_what_is_not_ours_by_a_read_that_shows_it_gone():
    """Foreign orders first; then, after a read without them, what is still held; done by a read that shows neither."""
    state = resting("MSFT", state=holding("AAPL"))
    step(state, START, quote("AAPL", 200.0))
    theirs = OrderSeen("", "77", "KO", Side.SELL, D(5), Status.WORKING, D(70))
    ours = PositionSeen("AAPL", D(10), D(200))
    shown = (ours, PositionSeen("KO", D(5), D(60)))
    at = START + SECOND
    step(state, at, whole_read(at, orders=(theirs, *living(state)), positions=shown))

    killed = ask(state, "kill", now=at, scope="account")
    nothing_twice = step(state, at + SECOND, Tick())

    assert of_kind(killed, CancelForeign) == [CancelForeign("paper", ("77",))]
    assert of_kind(nothing_twice, CancelForeign) == []
    assert [amend.order for amend in of_kind(killed, AmendOrder)] == ["AAPL-t"]

    at = close_ours(state, at + 2 * SECOND)
    step(state, at, whole_read(at, positions=shown[1:]))
    close = of_kind(step(state, at + SECOND, Tick()), SubmitOrder)

    assert [(o.instrument, o.side, o.quantity, o.leg, o.opens, o.foreign) for o in close] == [
        ("KO", Side.SELL, D(5), Leg.CLOSE, False, True)
    ]
    assert of_kind(step(state, at + 2 * SECOND, Tick()), SubmitOrder) == []
    step(state, at + 3 * SECOND, fill(close[0].order, "5", "59", side=Side.SELL, symbol="KO", execution="k"))
    assert ("KO" in state.external, "KO" in state.positions) == (False, False)
    assert not receipt_of(state).done or receipt_of(state).counts["gone"] == 2

    step(state, at + 4 * SECOND, whole_read(at + 4 * SECOND))
    done = receipt_of(state)
    assert (done.done, done.waits) == (True, ())
    assert done.counts == {"cancelled": 1, "closed": 1, "gone": 2}


def living(state):
    """Give the rows of a read that show every living order of ours as it is."""
    return tuple(
        OrderSeen(o.order, o.broker_id, o.instrument, o.side, o.left, o.status, o.terms)
        for o in state.orders.values()
        if o.live and o.status is not Status.CANCEL_ASKED
    )


def close_ours(state, at):
    """Let the broker close our position and cancel our entry."""
    step(state, at, OrderCancelled("MSFT-e"))
    for name in ("MSFT-s", "MSFT-t"):
        step(state, at, OrderCancelled(name))
    step(state, at, fill("AAPL-t", "10", "198", side=Side.SELL, execution="c"))
    step(state, at, OrderCancelled("AAPL-s"))
    return at + SECOND


def test_what_is_not_ours_is_left_alone_by_every_narrower_kill():
    """EXTERNAL is counted and never touched, except by the account's kill (I16)."""
    state = trading_state()
    theirs = OrderSeen("", "77", "KO", Side.SELL, D(5), Status.WORKING, D(70))
    step(state, START, whole_read(START, orders=(theirs,), positions=(PositionSeen("KO", D(5), D(60)),)))
    asked = ask(state, "kill", scope="flatten")
    for second in range(1, 31):
        asked += step(state, START + second * SECOND, Tick())

    assert of_kind(asked, CancelForeign | SubmitOrder) == []
    assert receipt_of(state).done


def test_an_account_kill_reads_the_broker_at_once():
    """Its evidence is a whole read that was asked for after the kill."""
    assert of_kind(ask(trading_state(), "kill", scope="account"), ReadBroker) == [ReadBroker("paper", "killed")]


def test_a_kill_during_a_proof_of_absence_waits_for_it():
    """An order in doubt is neither cancelled nor gone: the receipt says in flight, until evidence comes."""
    state = trading_state()
    refold(state, START, Tick(), [bracket("MSFT")])
    step(state, START, EpochStarted(2, "start", "0", "c"))
    step(state, START, BrokerUp("paper", "DEMO", "paper", 2))
    ask(state, "kill")
    assert receipt_of(state).entries[0].fate == "in_flight"

    retired = []
    for second in range(1, 13):
        at = START + second * SECOND
        retired += of_kind(step(state, at, whole_read(at, connection=2)), RetireOrder)
        step(state, at, Tick())

    assert retired
    assert (receipt_of(state).entries[0].fate, receipt_of(state).done) == ("never", True)


def test_the_author_of_a_kill_is_known_also_when_the_file_was_seen_first():
    """The receipt carries the request that it answers."""
    state = trading_state()
    step(state, START, LatchSeen(Scope.ORDERS, 1000))

    ask(state, "kill", request="r1", reason="enough")

    assert (state.kill.request, state.kill.words) == ("r1", "killed by uid 1000: enough")
    ask(state, "kill", request="r2")
    assert state.kill.request == "r1"
