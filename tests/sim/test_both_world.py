"""The seeded world holds with both real adapters in it, one broker failing while the other trades.

Every law is asked of each exchange by itself, and at rest of both together. More seeds: `make both SEEDS=30`.
"""

import pytest
from msgspec.structs import replace

from joed.brokers.capital.desk import Desk
from joed.brokers.capital.faults import Doubted, Gone
from joed.brokers.capital.session import Session
from joed.brokers.capital.shapes import Confirm
from joed.sim.world import play, scenario_of
from tests.sim.both_stage import BothStage
from tests.sim.capital_trouble import capital_faults

SHORT_S = 200.0
TWS_FAILS, CAPITAL_FAILS = 4, 9


def short(seed, *, quiet=False):
    """Give a seed's world with a short day."""
    whole = scenario_of(seed)
    faults = () if quiet else tuple(fault for fault in whole.faults if fault.at_s < SHORT_S)
    return replace(whole, safe_s=SHORT_S, faults=faults)


@pytest.mark.parametrize("seed", [TWS_FAILS, CAPITAL_FAILS])
def test_every_law_holds_at_both_while_one_of_them_fails(seed):
    """Entries at both; the faults strike one, and joed's own house; then a calm in which all comes right."""
    outcome = play(short(seed), BothStage)

    assert (outcome.law, outcome.words) == ("", "")
    assert outcome.counts["entries"] > 0
    assert outcome.counts["entries at capital"] > 0
    struck = {name for name in outcome.counts if name.startswith("fault capital")}
    assert bool(struck) is (seed == CAPITAL_FAILS) is bool(seed % 2 and capital_faults(seed, SHORT_S)[1])


def test_a_seed_that_once_left_a_close_in_doubt_for_ever():
    """Its target ended the position while the close's answer was lost; the whole day, as it was found."""
    outcome = play(scenario_of(61), BothStage)

    assert (outcome.law, outcome.words) == ("", "")


def test_the_same_seed_is_the_same_world():
    """Two runs, one trace: neither adapter, nor its library, nor the service before it has any chance of its own."""
    assert play(short(3, quiet=True), BothStage).trace == play(short(3, quiet=True), BothStage).trace != ""


def test_an_order_that_is_sent_again_breaks_a_law(monkeypatch):
    """The world would see it: a POST whose answer is lost, and which is sent once more, buys twice."""
    once = Session.write

    async def twice(self, method, path, lane, **more):
        try:
            return await once(self, method, path, lane, **more)
        except Doubted:
            return await once(self, method, path, lane, **more)

    monkeypatch.setattr(Session, "write", twice)

    class Losing(BothStage):
        """A world in which the first order's answer is lost."""

        def __init__(self, *args):
            super().__init__(*args)
            self.struck = [(1.0, "lose POST /positions 1")]

    assert play(short(3, quiet=True), Losing).law == "one order an intent"


def test_a_confirmation_that_is_not_found_yet_and_taken_for_a_refusal_breaks_a_law(monkeypatch):
    """What was called refused has filled: the books of the two sides part."""
    plain = Session.get

    async def hasty(self, shape, path, *more):
        try:
            return await plain(self, shape, path, *more)
        except Gone:
            if not path.startswith("/confirms/"):
                raise
            return Confirm(deal_status="REJECTED", reason="it was not found")

    monkeypatch.setattr(Session, "get", hasty)

    class Late(BothStage):
        """A world in which confirmations come late."""

        def __init__(self, *args):
            super().__init__(*args)
            self.struck = [(1.0, "lag confirm 4")]

    assert play(short(3, quiet=True), Late).law in ("counters agree", "positions agree", "orders agree")


def test_an_entry_that_is_born_without_its_stop_breaks_a_law(monkeypatch):
    """At Capital.com as at TWS, while the other is in order."""
    whole = Desk._body

    def bare(self, intent):
        return {**whole(self, intent), "stopLevel": None}

    monkeypatch.setattr(Desk, "_body", bare)

    outcome = play(short(3, quiet=True), BothStage)

    assert outcome.law == "always protected"
    assert outcome.words.startswith(("GGG", "HHH"))
