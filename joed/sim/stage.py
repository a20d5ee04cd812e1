"""What a scenario plays on: time, prices, the exchange, the wire, a person on duty, one life of joed after another."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

from msgspec.structs import replace as with_fields

from joed.daemon.clock import SimulatedClock
from joed.daemon.store import Store
from joed.engine import sessions
from joed.model import book
from joed.model import events as e
from joed.model import settings as s
from joed.model.calendars import Calendar
from joed.model.commands import Answer
from joed.model.events import Event, Quote
from joed.model.state import State
from joed.model.triggers import Trigger
from joed.model.values import SECOND
from joed.sim import proofs
from joed.sim.build import POISON, set_rules, settings_of
from joed.sim.cover import Cover
from joed.sim.disk import Disk, PointedLatches
from joed.sim.duty import LOOKS_EVERY_NS, Operator
from joed.sim.laws import Watch
from joed.sim.life import STEPS, Life, LifeClock, PowerCut, Site
from joed.sim.odd import OddBroker, OddExchange
from joed.sim.prices import Prices
from joed.sim.proofs import Remains
from joed.sim.rest import REST_LAWS
from joed.sim.scenario import REST_S, Scenario
from joed.sim.strategist import Strategist
from joed.sim.telling import Told, untold
from joed.sim.wire import Wire

LEAD_S = 60.0
"""How long before the open a morning begins."""
RESTART_S = 2.0
"""How soon a life is started again that left by itself."""
CRASHED_S = 0.7
"""How long it is dark after a crash at a numbered point."""
HAUNT_S = 1.3
"""How often the exchange fills what was cancelled."""
REFUSALS = ("stop_rejected", "close_rejected", "amend_rejected")
"""Oddities under which nothing can be mended."""


class Stage:
    """One world."""

    def __init__(self, scenario: Scenario, root: Path, calendars: dict[str, Calendar], date_ns: int) -> None:
        """Build it in an empty directory, on the session at or after a time."""
        self.scenario = scenario
        traits = scenario.traits
        session = sessions.session_at(calendars["XNYS"], date_ns)
        origin_ns = session.close_ns - int(scenario.safe_s * SECOND) if traits.evening else session.open_ns
        self.start_ns = origin_ns - int(LEAD_S * SECOND)
        self.open_ns, self.close_ns = session.open_ns, session.close_ns
        self.clock = self.make_clock()
        self.counts: Counter[str] = Counter()
        self.traps: list[tuple[str, Callable[[], None]]] = []
        self.settings = self.make_settings()
        self.next_settings: s.Settings | None = None
        self.next_version = ""
        self.life: Life | None = None
        self.remains: Remains | None = None
        self._calendars = calendars
        self.repeats = 0
        self.given: dict[str, Trigger] = {}
        self._down_s = 0.0
        self._restart_wanted = False
        self._seed = scenario.seed
        self.id_key = Random(f"{self._seed}:key").randbytes(32)
        chance = Random(f"{self._seed}:exchange")
        universe = {name: row for name, row in self.settings.universe.items() if row.broker == Wire.name}
        paper = self.settings.paper
        self.exchange = OddExchange(universe, paper, chance, base=self.settings.base_currency)
        self.watch = Watch(self.exchange, self.clock, root / "joed.db", self.settings.risk)
        fear = self.settings.vix
        self.watch.fear = (fear.instrument, fear.level_max, fear.prints)
        self.wire = Wire(self.clock, self.watch, self.counts, self.point, self._seed)
        self.broker = self.make_broker()
        self.wire.broker = self.broker
        self.prices = Prices(self.clock, self._seed, traits, self.broker.quote)
        self.disk = Disk(self.clock, self._seed, traits)
        self.crashes, self.calmed, self._passed, self._calm_ns = scenario.crashes, False, 0, 0
        latches = PointedLatches(root / "latch", self.point)
        latches.directory.mkdir()
        self.operator = Operator(self.clock, latches, self.watch, self.emit, self.counts)
        self.site = Site(
            clock=self.clock,
            root=root,
            id_key=self.id_key,
            settings=self.settings,
            calendars=calendars,
            wire=self.wire,
            watch=self.watch,
            latches=latches,
            disk=self.disk,
            strategist=self._strategist,
            ground=self,
            counts=self.counts,
            cover=Cover(self.counts),
            snapshot_s=60.0,
            tape_s=traits.tape_s,
            conflates=traits.conflates,
            shown=traits.shown,
            told=Told(self.clock, self.counts),
        )

    def make_settings(self) -> s.Settings:
        """Give joed's settings; a world of several brokers has more instruments."""
        return settings_of(self.scenario)

    def make_clock(self) -> SimulatedClock:
        """Give the world's time; a world of real adapters has a loop's."""
        return SimulatedClock(self.start_ns)

    def make_broker(self) -> OddBroker:
        """Give what stands between the wire and the exchange: a paper broker, or a real adapter before a fake."""
        emit, paper, closes = self.wire.receive, self.settings.paper, (self.close_ns,)
        return OddBroker("paper", self.exchange, self.clock, emit, paper, closes=closes)

    def _strategist(self, clock: LifeClock) -> Strategist:
        """Give a life its strategist: one that repeats itself does so in every life."""
        made = Strategist(clock, self._seed, self.scenario.traits)
        made.repeats, made.given = self.repeats, self.given
        return made

    def run(self, strike: Callable[[], None]) -> None:
        """Play the scenario to its end; `strike` plans the faults. Raises Broken where a law is."""
        clock, ends_ns = self.clock, self.start_ns + int(self.scenario.ends_s * SECOND)
        self.broker.open()
        self.prices.start(self.start_ns + int(LEAD_S * SECOND))
        strike()
        self.after(self.scenario.safe_s, self.calm)
        self.after(self.scenario.ends_s - REST_S, self.rest)
        clock.call_at(self.start_ns + LOOKS_EVERY_NS, self._on_duty)
        self.after(HAUNT_S, self._haunt)
        self._guarded(self.bring_up)
        while clock.now() < ends_ns and self._guarded(clock.advance):
            self._guarded(self._settle)
            self.watch.look()
            self.watch.tend(able=not self.exchange.shaken or self._able())
        self.judge_rest()

    def _guarded(self, work: Callable[[], object]) -> object:
        """Do something during which the power may go."""
        try:
            return work()
        except PowerCut as cut:
            self.cut(cut)
            return True

    def _able(self) -> bool:
        """Say whether nothing holds joed back from mending what an oddity did."""
        life, now = self.life, self.clock.now()
        if life is None or life.trading is None or life.full or now < life.hangs_until_ns or self.wire.troubled:
            return False
        exchange = self.exchange
        refusing = exchange.settings.reject_share or any(exchange.armed[name] for name in REFUSALS)
        slow = now < self.disk.slow_until_ns or not self.watch.read_since_up
        return not (refusing or slow or any(exchange.book.halted.values()))

    def _haunt(self) -> None:
        """Fill what was cancelled, where the exchange means to."""
        if self.exchange.ghosts:
            self.broker.act(self.exchange.fill_ghosts)
        self.after(HAUNT_S, self._haunt)

    def _settle(self) -> None:
        if self.life is not None:
            self.life.settle()

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Have something happen to the world later."""
        self.clock.call_at(self.clock.now() + int(seconds * SECOND), callback)

    def emit(self, event: Event) -> None:
        """Say something to joed, where it is there to hear."""
        if self.life is not None:
            self.life.emit(event)

    def point(self, name: str) -> None:
        """Spring what waits for this moment."""
        if name == "releasing":
            self.operator.releasing()
        self._crash(name)
        for index, (point, act) in enumerate(self.traps):
            if point == name:
                del self.traps[index]
                act()
                return

    def _crash(self, name: str) -> None:
        """Count a crash point, and let the power go where the scenario says so; none counts once the calm has begun."""
        if self.calmed:
            return
        self.counts["points"] += 1
        self.counts[f"point {name}"] += 1
        self._passed += 1
        if self.counts["crashes"] == 1 and not self.watch.read_since_up:
            self.counts["points of recovery"] += 1
        if self.crashes and self._passed == self.crashes[0]:
            self._passed, self.crashes = 0, self.crashes[1:]
            self.counts["crashes"] += 1
            raise PowerCut(CRASHED_S, "")

    def bring_up(self, steps: int = STEPS) -> None:
        """Start joed, with what was changed meanwhile."""
        if self.life is not None:
            return
        if self.next_version:
            self.site.version, self.next_version = self.next_version, ""
        if self.next_settings is not None:
            self.site.settings, self.next_settings = self.next_settings, None
        set_rules(self.site.version)
        self.life = Life(self.site)
        self.counts["lives"] += 1
        self.life.start(self.remains, steps)
        if steps >= STEPS:
            self.remains = None

    def cut(self, cut: PowerCut) -> None:
        """Let the power go: the life dies, and is started again, in vain as often as the cut says."""
        life, self.life = self.life, None
        if life is None:
            return
        self.counts["power cuts"] += 1
        self._restart_wanted = False  # a stop that it was asked for died with it
        died = life.die()
        self.remains = died if died is not None else self.remains
        self.after(cut.down_s, lambda: self._try_again(cut.again))

    def _try_again(self, again: str) -> None:
        if not again:
            self.bring_up()
            return
        if self.life is None:
            self.bring_up(int(again[0]))
            self.counts["cuts during recovery"] += 1
            self.cut(PowerCut(0.2, again[1:]))

    def stop(self, reason: str, down_s: float) -> None:
        """Stop joed in order, and start it again after a while."""
        if self.life is None:
            return
        self._down_s, self._restart_wanted = down_s, True
        self.emit(e.StopAsked(reason))

    def ended(self, remains: Remains) -> None:
        """Hear that a life is over in order."""
        self.life, self.remains = None, remains
        self.counts["orderly ends"] += 1
        if self._restart_wanted:
            self._restart_wanted = False
            self.after(self._down_s, self.bring_up)

    def faulted(self, remains: Remains) -> None:
        """Hear that a life left because a rule raised: it is started again, as systemd would."""
        self.life, self.remains = None, remains
        self.counts["step faults"] += 1
        self.after(RESTART_S, self.bring_up)

    def answered(self, answer: Answer) -> None:
        """Hear an answer to a person."""
        self.operator.answered(answer)

    def fill_in_parts(self, share: float) -> None:
        """Have the exchange split this share of executions."""
        self.exchange.settings = replace(self.exchange.settings, partial_share=share)

    def refuse(self, share: float) -> None:
        """Have the exchange refuse this share of new orders."""
        self.exchange.settings = replace(self.exchange.settings, reject_share=share)

    def other_settings(self) -> s.Settings:
        """Give settings that differ in what matters to decisions."""
        now = self.site.settings
        return replace(
            now,
            fill_timeout_s=9.0 if now.fill_timeout_s != 9.0 else 6.0,
            protection=replace(now.protection, trail_step=Decimal("0.0008")),
            feed=replace(now.feed, stale_s=15.0),
        )

    def poisonous(self, instrument: str, *, memory: bool = False) -> Quote:
        """Give a quote on which the planted rule raises; it lies outside every band, so that no rule is spared it."""
        quote = self.prices.walks[instrument].quote(self.clock.now(), prints_last=True)
        assert quote.last is not None
        return with_fields(quote, last=quote.last * 3, volume=POISON - memory)

    def calm(self) -> None:
        """Begin the end: nothing goes wrong any more, and what was begun is mended."""
        self.traps, self.calmed, self._calm_ns = [], True, self.clock.now()
        self.wire.mend_all()
        self.disk.slow_until_ns, self.disk.broken_s = 0, 0.0
        self.site.told.down_until_ns = 0
        self.refuse(0.0)
        self.fill_in_parts(self.scenario.traits.partial_share)
        self.exchange.armed.clear()
        self.exchange.slow_until_ns = 0
        self.broker.act(self.exchange.undo)
        for instrument in self.scenario.traits.instruments:
            if self.exchange.book.halted.get(instrument):
                self.broker.halt(instrument, halted=False)
        for walk in self.prices.walks.values():
            walk.silent_until_ns = walk.raised_until_ns = 0
        if self.life is not None:
            self.life.hangs_until_ns = 0
            self.life.clock.wake()
            self.life.make_room()
        self.operator.calm()
        self.counts["entries before calm"] = self._entries()

    def _entries(self) -> int:
        return sum(1 for order in self.exchange.orders.values() if order.opens and order.filled)

    def rest(self) -> None:
        """Let prices stand still, and open nothing new."""
        self.prices.frozen = True
        self.counts["entries in calm"] = self._entries() - self.counts.pop("entries before calm")
        self.site.strategist = lambda clock: _idle(self._strategist(clock))
        if self.life is not None and self.life.trading is not None:
            self.life.strategist.idle = True

    def _on_duty(self) -> None:
        if self.life is not None and self.life.trading is not None:
            self.operator.hung_until_ns = self.life.hangs_until_ns
            self.operator.look(self.life.state)
        self.clock.call_at(self.clock.now() + LOOKS_EVERY_NS, self._on_duty)

    def judge_rest(self) -> None:
        """Compare the books, where joed trades still or has ended its day."""
        state = self.state()
        for name, law in REST_LAWS.items():
            if not (self.scenario.traits.evening and name == "entries are allowed again"):
                self.watch.hold(name, law(state, self.exchange))
        memory = self.exchange.to_state()
        found = [*book.repeated(memory), *book.unbalanced(memory)]
        if not self.exchange.happened:
            found += [*book.unprotected(memory), *book.turned(memory)]
        self.watch.hold("the exchange's own laws", "; ".join(found[:3]))

    def state(self) -> State:
        """Give the State of the life that is, or of the last one."""
        if self.life is not None:
            return self.life.state
        assert self.remains is not None, "no life began"
        return self.remains.state

    def abandon(self) -> None:
        """Let go of all files, however it went."""
        if self.life is not None:
            self.life.die()
            self.life = None
        self.watch.close()

    def close(self) -> tuple[int, bytes]:
        """End the last life and judge the whole record; give its last seq and its hash."""
        life, self.life = self.life, None
        state = self.state() if life is None else life.state
        if life is not None:
            life.flush()
            life.die()
        self.watch.close()
        hold = self.watch.hold
        hold("the chain holds", proofs.chained(self.site.root))
        store = Store.open(self.site.root / "joed.db", bounds=None)
        try:
            words, again = proofs.decided_again(store.read(), self.id_key, lambda event: set_rules(event.version))
            hold("decided again, the same", words)
            if self.scenario.tells:
                hold("every alert is told", untold(store.read(), self.site.told.at_ns, self._calm_ns))
            same = proofs.without_bands(again) == proofs.without_bands(state)
            hold("the record is the whole truth", "" if same else proofs.difference(again, state))
            return store.last(), store._head.hash  # noqa: SLF001 - the end of the chain is the trace's best digest
        finally:
            store.close()


def _idle(strategist: Strategist) -> Strategist:
    strategist.idle = True
    return strategist
