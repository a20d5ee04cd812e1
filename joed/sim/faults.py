"""Everything that goes wrong: how each fault is drawn, and what it does to the world."""

from collections.abc import Callable
from random import Random

from msgspec.structs import replace as with_fields

from joed.model.events import Quote
from joed.model.values import SECOND, Scope
from joed.sim.broker_faults import BROKER_FAULTS
from joed.sim.draws import Kind, count, nothing, number, one_for, seconds
from joed.sim.house_faults import HOUSE_FAULTS
from joed.sim.life import PowerCut
from joed.sim.scenario import VIX, Args, Fault, Traits
from joed.sim.stage import Stage

WARM_UP_S = 70.0
"""Nothing goes wrong before: the market has to open first."""
SHARE, SHARE_ODD, TIMES_MAX = 0.3, 0.12, 3
"""How likely a seed has a kind of fault (an odd one), and how often it strikes at most."""
POINTS = ("recorded", "durable", "handed", "filled")
"""The moments at which a fault hurts most: an entry is in the record, durable, on the wire, filled."""


def some_of(fault: str) -> Callable[[Stage, Args], None]:
    """Have the wire do something to the next messages."""

    def act(stage: Stage, args: Args) -> None:
        setattr(stage.wire, fault, getattr(stage.wire, fault) + int(number(args, "count")))

    return act


def draw_lag(chance: Random, traits: Traits) -> Args:
    """Draw a slow wire."""
    return {"seconds": round(chance.uniform(3, 30), 1), "lag_s": round(chance.uniform(0.2, 5), 2)}


def lag(stage: Stage, args: Args) -> None:
    """Have messages to joed come late, in order."""
    stage.wire.lag_ns = int(number(args, "lag_s") * SECOND)
    stage.after(number(args, "seconds"), lambda: setattr(stage.wire, "lag_ns", 0))


def draw_outage(chance: Random, traits: Traits) -> Args:
    """Draw how long the link is gone: a moment, or long."""
    seconds = round(chance.choice((chance.uniform(0.01, 0.5), chance.uniform(0.5, 40))), 2)
    return {"seconds": seconds, "unheard": chance.choice((0, 1, 2, 4))}


def disconnect(stage: Stage, args: Args) -> None:
    """Cut the link for a while."""
    stage.wire.outage(number(args, "seconds"), "the link was cut", int(number(args, "unheard")))


def draw_flap(chance: Random, traits: Traits) -> Args:
    """Draw how often the link goes, and how long it takes to come back."""
    return {"count": chance.randint(3, 6), "seconds": round(chance.uniform(0.3, 3), 1)}


def flap(stage: Stage, args: Args) -> None:
    """Have the link come and go."""
    apart_s = number(args, "seconds")
    for index in range(int(number(args, "count"))):
        stage.after(index * 2.5 * apart_s, lambda: stage.wire.outage(apart_s, "the link flaps"))


def draw_cut(chance: Random, traits: Traits) -> Args:
    """Draw how long it stays dark, and at which steps of the next starts it goes dark again."""
    again = "".join(str(chance.randint(1, 3)) for _ in range(chance.choice((0, 0, 0, 1, 2))))
    return {"down_s": round(chance.choice((chance.uniform(0.1, 3), chance.uniform(3, 40))), 1), "again": again}


def cut(stage: Stage, args: Args) -> None:
    """Take the power away: what no commit took is lost, timers do not fire, the exchange goes on."""
    raise PowerCut(number(args, "down_s"), str(args["again"]))


def draw_slow(chance: Random, traits: Traits) -> Args:
    """Draw a disk that takes its time."""
    return {"seconds": round(chance.uniform(5, 60), 1), "commit_s": round(chance.choice((0.5, 3.0, 12.0)), 1)}


def slow_disk(stage: Stage, args: Args) -> None:
    """Have commits take long."""
    stage.disk.slow_until_ns = stage.clock.now() + int(number(args, "seconds") * SECOND)
    stage.disk.slow_s = number(args, "commit_s")


def stop(stage: Stage, args: Args) -> None:
    """Stop joed in order, and start it again."""
    stage.stop("stopped", number(args, "seconds"))


def draw_change(chance: Random, traits: Traits) -> Args:
    """Draw how the old one ends, and how long it is until the new one starts."""
    return {"by": chance.choice(("stop", "cut")), "seconds": round(chance.uniform(0.5, 10), 1)}


def upgrade(stage: Stage, args: Args) -> None:
    """Let the next start be another build, which decides otherwise."""
    stage.next_version = "2"
    _replace(stage, args)


def reconfigure(stage: Stage, args: Args) -> None:
    """Give the next start other settings."""
    stage.next_settings = stage.other_settings()
    _replace(stage, args)


def _replace(stage: Stage, args: Args) -> None:
    if args["by"] == "cut":
        raise PowerCut(number(args, "seconds"), "")
    stage.stop("replaced", number(args, "seconds"))


def halt(stage: Stage, args: Args) -> None:
    """Have the exchange halt an instrument."""
    name = str(args["instrument"])
    stage.broker.halt(name, halted=True)
    stage.after(number(args, "seconds"), lambda: stage.broker.halt(name, halted=False))


def draw_rejects(chance: Random, traits: Traits) -> Args:
    """Draw how many orders are refused."""
    return {"seconds": round(chance.uniform(5, 60), 1), "share": chance.choice((0.2, 0.5, 1.0))}


def rejects(stage: Stage, args: Args) -> None:
    """Have the exchange refuse new orders by chance."""
    stage.refuse(number(args, "share"))
    stage.after(number(args, "seconds"), lambda: stage.refuse(0.0))


def silence(stage: Stage, args: Args) -> None:
    """Leave an instrument without quotes for a while."""
    walk = stage.prices.walks[str(args["instrument"])]
    walk.silent_until_ns = stage.clock.now() + int(number(args, "seconds") * SECOND)


def blind(stage: Stage, args: Args) -> None:
    """Leave all instruments without quotes for a while."""
    for walk in stage.prices.walks.values():
        walk.silent_until_ns = stage.clock.now() + int(number(args, "seconds") * SECOND)


def draw_bad(chance: Random, traits: Traits) -> Args:
    """Draw what is wrong with a price."""
    return {"instrument": chance.choice((*traits.instruments, VIX)), "wrong": chance.choice(tuple(WRONG))}


def bad_print(stage: Stage, args: Args) -> None:
    """Send a price that cannot be."""
    walk = stage.prices.walks[str(args["instrument"])]
    quote = walk.quote(stage.clock.now(), prints_last=True)
    stage.wire.receive(WRONG[str(args["wrong"])](quote))


NAN, INFINITE = float("nan"), float("inf")
WRONG: dict[str, Callable[[Quote], Quote]] = {
    "nan": lambda quote: with_fields(quote, bid=NAN),
    "nan ask": lambda quote: with_fields(quote, ask=NAN),
    "nan last": lambda quote: with_fields(quote, last=NAN),
    "infinite": lambda quote: with_fields(quote, ask=INFINITE, last=None),
    "infinite last": lambda quote: with_fields(quote, last=INFINITE),
    "crossed": lambda quote: with_fields(quote, bid=quote.ask, ask=quote.bid),
    "zero": lambda quote: with_fields(quote, bid=0.0),
    "negative": lambda quote: with_fields(quote, bid=-quote.bid, ask=-quote.ask, last=None),
    "tenfold": lambda quote: with_fields(quote, bid=quote.bid * 10, ask=quote.ask * 10, last=None),
    "hundredfold": lambda quote: with_fields(quote, bid=quote.bid * 100, ask=quote.ask * 100, last=None),
    "hundredth": lambda quote: with_fields(quote, bid=quote.bid / 100, ask=quote.ask / 100, last=None),
    "other currency": lambda quote: with_fields(quote, bid=quote.bid * 1.35, ask=quote.ask * 1.35, last=None),
    "tenth": lambda quote: with_fields(quote, bid=quote.bid / 10, ask=quote.ask / 10, last=None),
}
"""What a feed sends that is no price."""


def draw_jump(chance: Random, traits: Traits) -> Args:
    """Draw a gap."""
    by = round(chance.choice((-1, 1)) * chance.uniform(0.01, 0.06), 3)
    return {"instrument": chance.choice(traits.instruments), "by": by}


def jump(stage: Stage, args: Args) -> None:
    """Let a price gap through whatever rests there."""
    stage.prices.walks[str(args["instrument"])].price *= 1.0 + number(args, "by")


def fear(stage: Stage, args: Args) -> None:
    """Let VIX leap over its limit, print that as often as it must to be believed, and fall back after a while."""
    walk, now = stage.prices.walks[VIX], stage.clock.now()
    walk.raised, walk.raised_until_ns = 40.0 / walk.price, now + int(number(args, "seconds") * SECOND)
    for index in range(stage.settings.vix.prints):  # sooner than any commit ends
        stage.after(index * 2e-5, lambda: stage.broker.quote(walk.quote(stage.clock.now(), prints_last=True)))


def draw_kill(chance: Random, traits: Traits) -> Args:
    """Draw how far a kill reaches, whether the daemon is told, and when it is released."""
    scope = chance.choice(tuple(Scope)).value
    again = int(chance.random() < 0.2)
    return {"scope": scope, "told": chance.randint(0, 1), "seconds": round(chance.uniform(10, 90), 1), "again": again}


def kill(stage: Stage, args: Args) -> None:
    """Kill, and release later."""
    told, again = bool(args["told"]), bool(args["again"])
    stage.operator.kill(Scope(str(args["scope"])), number(args, "seconds"), told=told, again=again)


def pause(stage: Stage, args: Args) -> None:
    """Pause, and resume later."""
    stage.operator.pause(number(args, "seconds"))


def flush(stage: Stage, args: Args) -> None:
    """Flush: the seq in the answer is there after any cut."""
    if stage.life is not None:
        stage.life.flush()


def stall(stage: Stage, args: Args) -> None:
    """Have the loop hang."""
    if stage.life is not None:
        stage.life.hangs_until_ns = stage.clock.now() + int(number(args, "seconds") * SECOND)


def full_disk(stage: Stage, args: Args) -> None:
    """Fill the disk for a while."""
    if stage.life is not None:
        stage.life.fill_up(number(args, "seconds"))


def draw_poison(chance: Random, traits: Traits) -> Args:
    """Draw an instrument, and whether memory is what lacks."""
    return {"instrument": chance.choice(traits.instruments), "memory": chance.randint(0, 1)}


def poison(stage: Stage, args: Args) -> None:
    """Send a quote on which a rule raises, and send it once more later."""
    name = str(args["instrument"])
    quote = stage.poisonous(name, memory=bool(args.get("memory", 0)))
    stage.wire.receive(quote)
    stage.after(20.0, lambda: stage.wire.receive(quote))


def fail_jobs(stage: Stage, args: Args) -> None:
    """Have the worker fail at its next jobs."""
    if stage.life is not None and stage.life.trading is not None:
        stage.life.strategist.failures += int(number(args, "count"))


FAULTS: dict[str, Kind] = {
    "lost_reports": Kind(count(6), some_of("lost_reports"), bites=True),
    "lost_commands": Kind(count(3), some_of("lost_commands"), bites=True),
    "repeats": Kind(count(6), some_of("repeats")),
    "partial_reads": Kind(count(4), some_of("partial_reads")),
    "lag": Kind(draw_lag, lag),
    "disconnect": Kind(draw_outage, disconnect, bites=True),
    "flap": Kind(draw_flap, flap),
    "cut": Kind(draw_cut, cut, bites=True),
    "slow_disk": Kind(draw_slow, slow_disk),
    "full_disk": Kind(seconds(1, 20), full_disk, bites=True),
    "stop": Kind(seconds(0.5, 30), stop),
    "upgrade": Kind(draw_change, upgrade),
    "reconfigure": Kind(draw_change, reconfigure),
    "halt": Kind(one_for(5, 60), halt),
    "rejects": Kind(draw_rejects, rejects),
    "silence": Kind(one_for(5, 80), silence),
    "blind": Kind(seconds(5, 70), blind),
    "bad_print": Kind(draw_bad, bad_print),
    "jump": Kind(draw_jump, jump),
    "fear": Kind(seconds(3, 40), fear, bites=True),
    "kill": Kind(draw_kill, kill, bites=True),
    "pause": Kind(seconds(10, 60), pause),
    "flush": Kind(nothing, flush),
    "stall": Kind(seconds(0.2, 12), stall, bites=True),
    "poison": Kind(draw_poison, poison),
    "fail_jobs": Kind(count(3), fail_jobs),
    **BROKER_FAULTS,
    **HOUSE_FAULTS,
}
"""Every kind of fault; a seed switches some of them on."""


def draw_faults(seed: int, safe_s: float, traits: Traits) -> tuple[Fault, ...]:
    """Draw which kinds a seed has, how often each strikes, and when."""
    found = []
    for name, kind in FAULTS.items():
        chance = Random(f"{seed}:{name}")
        odd = name in BROKER_FAULTS or name in HOUSE_FAULTS
        if chance.random() >= (SHARE_ODD if odd else SHARE):
            continue
        for _ in range(chance.randint(1, TIMES_MAX)):
            at_s = round(chance.uniform(WARM_UP_S, safe_s - 1), 1)
            args = kind.draw(chance, traits)
            if kind.bites and chance.random() < 0.6:
                args = {"at": chance.choice(POINTS), **args}
            found.append(Fault(at_s, name, args))
    return tuple(sorted(found, key=lambda fault: fault.at_s))


def strike(stage: Stage, fault: Fault) -> None:
    """Let a fault happen, now or at the point that it waits for."""
    args = fault.args
    if "at" in args:
        stage.traps.append((str(args["at"]), lambda: _act(stage, fault)))
    else:
        _act(stage, fault)


def _act(stage: Stage, fault: Fault) -> None:
    stage.counts[f"fault {fault.kind}"] += 1
    FAULTS[fault.kind].act(stage, fault.args)
