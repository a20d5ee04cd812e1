"""The tasks that a daemon has for its brokers."""

import asyncio

from joed.daemon.clock import SimulatedClock
from joed.daemon.senses import works_of
from joed.model.settings import Instrument, Settings
from joed.model.state import State
from tests.daemon.test_supervise import logged


class Quiet:
    """A broker that waits for nothing."""

    def __init__(self, name):
        self.name, self.told, self.ran = name, [], 0

    def subscribe(self, instruments):
        """Note it."""
        self.told.append(instruments)

    async def run(self):
        """Note that it ran."""
        self.ran += 1


def test_what_is_wanted_is_told_before_an_adapter_runs(tmp_path):
    """A first connection asks for the right names at once; an embedded market quotes what it plays."""
    state = State(settings=Settings(universe={"KO": Instrument("KO", "a"), "GE": Instrument("GE", "b")}))
    a, b, paper = Quiet("a"), Quiet("b"), Quiet("paper")
    _, log = logged(tmp_path)
    parts = (state, SimulatedClock(0), None, print, log)

    works_of({"a": a, "b": b}, *parts, streams=True)
    works_of({"paper": paper}, *parts, streams=False)
    log.close()

    assert (a.told, b.told, paper.told) == ([("KO",)], [("GE",)], [])


async def test_each_adapter_has_a_task_of_its_own(tmp_path):
    """And the past one more, which is done at once where no broker tells of any."""
    a, b = Quiet("a"), Quiet("b")
    _, log = logged(tmp_path)

    works = works_of({"a": a, "b": b}, State(), SimulatedClock(0), None, print, log, streams=False)
    await asyncio.gather(*(work() for work in works))
    log.close()

    assert (len(works), a.ran, b.ran) == (3, 1, 1)
