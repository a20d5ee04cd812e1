"""joed.brokers.capital.evidence: what became of an order whose answer was lost, by what can be proven."""

from decimal import Decimal as Money

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.brokers.capital.evidence import Verdict, apart, judge, late, mark_of, taken
from joed.brokers.capital.ledger import Stage
from joed.model.values import DAY, SECOND, Side
from tests.brokers.capital.rows import SENT_NS, act, entry, held, resting, whole
from tests.faults.measure import measured

TICK = Money("0.01")
ABSENT_NS = 120 * SECOND
NONE = frozenset()


def verdict(intent, look, owned=NONE, *, at_s=20):
    """Judge at so many seconds after it was sent."""
    return judge(intent, look, owned, SENT_NS + at_s * SECOND, ABSENT_NS)


def test_one_row_with_the_fingerprint_is_it():
    """New since the before-image, alike, of its time, with its stop and its target: adopted."""
    assert verdict(entry(), whole(held())) == (Verdict.ADOPT, ("d1",), False)


def test_a_resting_order_is_found_among_the_working_orders():
    """Its levels come back as distances; an order that trades at once is never looked for there."""
    assert verdict(entry(rests=True), whole(resting())) == (Verdict.ADOPT, ("w1",), True)
    assert verdict(entry(), whole(resting())).verdict is Verdict.WAIT


def test_a_resting_order_that_filled_before_it_was_seen_is_found_among_the_positions():
    """A position of its fingerprint is it."""
    assert verdict(entry(rests=True), whole(held())) == (Verdict.ADOPT, ("d1",), False)


@pytest.mark.parametrize(
    "other",
    [
        {"epic": "BBB.X"},
        {"side": Side.SELL},
        {"size": Money(9)},
        {"stop": Money("95.01")},
        {"target": None},
        {"at_ns": SENT_NS - 3 * SECOND},
        {"at_ns": SENT_NS + 61 * SECOND},
    ],
)
def test_what_differs_in_anything_is_not_it(other):
    """Another epic, side, size, level, or a time at which it cannot have been made: somebody else's."""
    assert verdict(entry(), whole(held(**other))).verdict is Verdict.WAIT


def test_what_was_there_before_or_is_another_of_ours_is_not_it():
    """The before-image and the other orders' deals are left out."""
    assert verdict(entry(before=frozenset({"d1"})), whole(held())).verdict is Verdict.WAIT
    assert verdict(entry(), whole(held()), frozenset({"d1"})).verdict is Verdict.WAIT


def test_two_rows_with_one_fingerprint_are_a_persons_to_tell_apart():
    """Both are named; neither is guessed."""
    assert verdict(entry(), whole(held("d2"), held("d1"))) == (Verdict.QUARANTINE, ("d1", "d2"), False)
    measured("F77", detected_s=0)  # by the first read that shows both


def test_of_two_alike_the_fingerprint_decides():
    """A manual order of the same size in the same second has another stop (F77)."""
    assert verdict(entry(), whole(held("d1", stop=Money(94)), held("d2"))).deals == ("d2",)


def test_an_activity_alone_is_adopted_provisionally():
    """It shows no levels: its exposure counts, the row confirms it; two such are nobody's guess."""
    assert verdict(entry(), whole(acts=[act()])) == (Verdict.PROVISIONAL, ("d1",), False)
    assert verdict(entry(), whole(acts=[act(), act("d2")])).verdict is Verdict.QUARANTINE
    assert verdict(entry(), whole(held("d1", stop=Money(94)), acts=[act("d1")])).verdict is Verdict.WAIT


def test_absence_takes_three_sets_and_two_minutes():
    """Not a second earlier, not a set fewer: until then it may still show itself."""
    missing = entry(sets=3)

    assert verdict(missing, whole(), at_s=120).verdict is Verdict.ABSENT
    assert verdict(missing, whole(), at_s=119).verdict is Verdict.WAIT
    assert verdict(entry(sets=2), whole(), at_s=120).verdict is Verdict.WAIT
    assert verdict(missing, whole(history=False), at_s=120).verdict is Verdict.WAIT


def test_a_search_that_began_late_takes_its_time_anew():
    """The service was away, or the market shut: the clock starts again when it is back."""
    assert verdict(entry(sets=3, search_ns=SENT_NS + 60 * SECOND), whole(), at_s=179).verdict is Verdict.WAIT
    assert verdict(entry(sets=3, search_ns=SENT_NS + 60 * SECOND), whole(), at_s=180).verdict is Verdict.ABSENT


def test_what_counts_as_never_made_and_shows_itself_is_adopted_late():
    """For a day, by its fingerprint alone, whatever time its row is stamped with."""
    gone = entry(stage=Stage.ABSENT)
    look = whole(held(at_ns=SENT_NS + 3_000 * SECOND))

    assert late(gone, look, NONE, SENT_NS + DAY).deals == ("d1",)
    assert late(entry(stage=Stage.ABSENT, rests=True), whole(resting()), NONE, SENT_NS + DAY).resting
    assert late(gone, look, NONE, SENT_NS + DAY + 1) is None
    assert late(gone, look, frozenset({"d1"}), SENT_NS + 1) is None
    assert late(entry(), look, NONE, SENT_NS) is None


def test_no_two_orders_of_a_day_share_a_fingerprint():
    """The stop moves nearer, tick by tick: tighter and never wider; a short's comes down."""
    rows = [entry("E1"), entry("E2", stop=Money("95.01"))]
    third, short = entry("E3"), entry("E4", side=Side.SELL, stop=Money(105))

    assert apart(third, taken(rows, SENT_NS), TICK)
    assert third.stop == Money("95.02")
    assert apart(short, frozenset({mark_of(short)}), TICK)
    assert short.stop == Money("104.99")


def test_a_fingerprint_is_free_again_after_a_day_and_never_while_its_order_lives():
    """What is over for a day can no longer be mistaken."""
    over = entry(stage=Stage.ENDED)

    assert taken([over], SENT_NS + DAY - 1) == {mark_of(over)}
    assert taken([over], SENT_NS + DAY) == NONE
    assert taken([entry(stage=Stage.OPEN)], SENT_NS + 9 * DAY) == {mark_of(over)}


def test_too_many_of_one_shape_are_refused():
    """There is an end to the moving: a stop is where the trader put it."""
    rows = [entry(f"E{n}", stop=Money(95) + n * TICK) for n in range(51)]

    assert not apart(entry("E99"), taken(rows, SENT_NS), TICK)


ROWS = st.builds(
    held,
    st.sampled_from(["d1", "d2", "d3"]),
    epic=st.sampled_from(["AAA.X", "BBB.X"]),
    size=st.sampled_from([Money(9), Money(10)]),
    stop=st.sampled_from([Money(95), Money(94), None]),
    at_ns=st.integers(-5, 70).map(lambda s: SENT_NS + s * SECOND),
)


@given(
    st.lists(ROWS, max_size=3, unique_by=lambda row: row.deal),
    st.sets(st.sampled_from(["d1", "d2"])),
    st.integers(0, 5),
    st.integers(0, 200),
)
def test_whatever_is_seen_nothing_of_anothers_is_adopted(rows, before, sets, at_s):
    """An adopted deal was not there before, has our fingerprint and our time, and is the only one that has."""
    intent = entry(before=frozenset(before), sets=sets)
    found = verdict(intent, whole(*rows), at_s=at_s)

    ours = {
        row.deal
        for row in rows
        if row.deal not in before
        and (row.epic, row.side, row.size, row.stop, row.target) == mark_of(intent)
        and -2 * SECOND <= row.at_ns - SENT_NS <= 60 * SECOND
    }
    if found.verdict is Verdict.ADOPT:
        assert ours == set(found.deals)
    elif found.verdict is Verdict.ABSENT:
        assert not ours
        assert at_s >= 120
