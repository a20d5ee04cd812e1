"""What goes wrong at home: the disk, the clock, the process, and the people around it."""

from random import Random

from joed.model.events import ClockStepped
from joed.model.values import SECOND, Scope
from joed.sim.draws import Kind, number, seconds
from joed.sim.life import PowerCut
from joed.sim.scenario import Args, Traits
from joed.sim.stage import Stage

DARK_S = 3.0


def draw_wrong_disk(chance: Random, traits: Traits) -> Args:
    """Draw how long it takes until joed is started again."""
    return {"down_s": round(chance.uniform(1, 8), 1)}


def eio(stage: Stage, args: Args) -> None:
    """Have the next commit fail for good: nobody tries again, the process ends and the next recovers."""
    stage.disk.broken_s = number(args, "down_s")


def draw_loop(chance: Random, traits: Traits) -> Args:
    """Draw at which steps of its next starts joed dies."""
    return {"again": "".join(str(chance.randint(1, 3)) for _ in range(chance.randint(4, 8)))}


def crash_loop(stage: Stage, args: Args) -> None:
    """Have start after start die on its way."""
    raise PowerCut(0.5, str(args["again"]))


def draw_step(chance: Random, traits: Traits) -> Args:
    """Draw by how much the wall clock is set."""
    return {"seconds": chance.choice((-3600, -90, 90, 3600))}


def clock_step(stage: Stage, args: Args) -> None:
    """Set the wall clock, and set it right later: deadlines and the session's hours do not move."""
    stage.emit(ClockStepped(int(number(args, "seconds") * SECOND)))
    stage.after(40.0, lambda: stage.emit(ClockStepped(0)))


def suspend(stage: Stage, args: Args) -> None:
    """Let the machine sleep: the process stands still, its links are void when it wakes."""
    for_s = number(args, "seconds")
    stage.wire.outage(for_s + 0.2, "the machine slept")
    if stage.life is not None:
        stage.life.hangs_until_ns = stage.clock.now() + int(for_s * SECOND)


def draw_kill_while(chance: Random, traits: Traits) -> Args:
    """Draw what else is wrong while somebody kills."""
    return {
        "while": chance.choice(("full disk", "link down", "cut", "restart", "hang")),
        "scope": chance.choice(tuple(Scope)).value,
        "seconds": round(chance.uniform(15, 60), 1),
    }


def kill_while(stage: Stage, args: Args) -> None:
    """Kill while the disk is full, the link down, the power gone, joed restarting or hanging: the file is enough."""
    what, scope, for_s = str(args["while"]), Scope(str(args["scope"])), number(args, "seconds")
    if what == "full disk" and stage.life is not None:
        stage.life.fill_up(8.0)
    elif what == "link down":
        stage.wire.outage(8.0, "the link was cut before a kill")
    elif what == "hang" and stage.life is not None:
        stage.life.hangs_until_ns = stage.clock.now() + 20 * SECOND
    elif what == "restart":
        stage.stop("stopped", DARK_S)
    stage.operator.kill(scope, for_s, told=what in ("full disk", "link down"))
    if what == "cut":
        raise PowerCut(DARK_S, "")


def draw_signals(chance: Random, traits: Traits) -> Args:
    """Draw how often each signal comes again."""
    return {"count": chance.choice((2, 50, 1000))}


def repeat_signals(stage: Stage, args: Args) -> None:
    """Have the strategies repeat every signal that they ever gave, many times."""
    stage.repeats = int(number(args, "count"))
    if stage.life is not None and stage.life.trading is not None:
        stage.life.strategist.repeats = stage.repeats


def ask_twice(stage: Stage, args: Args) -> None:
    """Have somebody pause, and ask the same once more, and again with other words under the same id."""
    stage.operator.ask_twice(number(args, "seconds"))


def alerts_down(stage: Stage, args: Args) -> None:
    """Have alerts not get through for a while."""
    stage.site.told.down_until_ns = stage.clock.now() + int(number(args, "seconds") * SECOND)


HOUSE_FAULTS: dict[str, Kind] = {
    "eio": Kind(draw_wrong_disk, eio),  # F23
    "crash_loop": Kind(draw_loop, crash_loop),  # F8
    "clock_step": Kind(draw_step, clock_step),  # F33
    "suspend": Kind(seconds(30, 240), suspend),  # F34
    "kill_while": Kind(draw_kill_while, kill_while, bites=True),  # F89 to F93
    "repeat_signals": Kind(draw_signals, repeat_signals),  # F88
    "ask_twice": Kind(seconds(8, 30), ask_twice),  # F95
    "alerts_down": Kind(seconds(10, 90), alerts_down),  # F96
}
"""What happens at home, each with its row of the catalogue."""
