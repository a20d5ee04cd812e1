"""The queue in front of the loop: facts in order and never lost, quotes the newest."""

from joed.daemon.intake import Intake
from joed.model.events import Quote, StopAsked


def quote(symbol, bid):
    """Give a quote."""
    return Quote(symbol, bid, bid + 0.02)


def taken(intake):
    """Take all that waits."""
    found = []
    while (event := intake.take()) is not None:
        found.append(event)
    return found


def filled(*events, size_max=10, conflates=True):
    """Give an intake with these events, and how often it woke its loop."""
    woken = []
    intake = Intake(lambda: woken.append(1), size_max, conflates=conflates)
    for event in events:
        intake.put(event)
    return intake, woken


def test_a_quote_takes_the_place_of_the_one_that_still_waits():
    """One quote of each instrument, the newest, and the rest is counted."""
    intake, _ = filled(quote("KO", 1), quote("KO", 2), quote("AAPL", 3), quote("KO", 4))

    assert len(intake) == 2
    assert taken(intake) == [quote("KO", 4), quote("AAPL", 3)]
    assert intake.conflated == 2


def test_facts_come_before_quotes_and_in_their_order():
    """An order's fate does not wait for prices."""
    facts = [StopAsked(str(number)) for number in range(3)]
    intake, _ = filled(facts[0], quote("KO", 1), facts[1], facts[2])

    assert taken(intake) == [*facts, quote("KO", 1)]
    assert intake.high_watermark == 4


def test_a_fact_is_taken_however_much_waits():
    """Nothing that happened is dropped."""
    facts = [StopAsked(str(number)) for number in range(25)]
    intake, _ = filled(*facts, size_max=10)

    assert intake.full
    assert taken(intake) == facts
    assert not intake.full


def test_accelerated_quotes_keep_their_turns_until_too_many_wait():
    """From there on they conflate, so that the queue has an end."""
    quotes = [quote("KO", number) for number in range(1, 11)]
    intake, _ = filled(*quotes, size_max=10, conflates=False)
    assert intake.conflated == 0

    for number in range(11, 1000):
        intake.put(quote("KO", number))

    assert taken(intake) == [*quotes, quote("KO", 999)]


def test_the_loop_is_woken_once_until_it_has_taken_all():
    """The first that waits wakes it; a second wake-up would be for nothing."""
    intake, woken = filled(quote("KO", 1), StopAsked("x"), quote("KO", 2))
    assert woken == [1]

    taken(intake)
    intake.put(quote("KO", 3))

    assert woken == [1, 1]
    assert intake.take() == quote("KO", 3)
    assert intake.take() is None


def test_a_quote_that_can_be_no_price_goes_no_further():
    """Counted, never traded on; the loop is not even woken."""
    intake, woken = filled(quote("KO", float("nan")), quote("KO", -1), quote("KO", 0))

    assert (intake.unsound, len(intake), woken) == (3, 0, [])
