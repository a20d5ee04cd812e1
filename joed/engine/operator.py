"""What people ask for, verb by verb; each gets an Answer, a yes or a named refusal, in the same record."""

from collections.abc import Callable

from joed.engine import alerting, drill, reloading, requests, schedule, times
from joed.engine import kill as engine_kill
from joed.engine.confirming import answer, confirm, doctor, needs_confirmation, unconfirmed
from joed.engine.hands import HANDS
from joed.engine.kill import AT as KILLED_AT
from joed.engine.reconcile import unreconciled
from joed.model.blocks import ALL, Block, key
from joed.model.commands import Answer, Command, LiftBlock, RaiseAlert, RaiseBlock, Unlatch
from joed.model.events import OperatorAsked
from joed.model.state import State
from joed.model.values import Severity

PAUSED = "paused"


def asked(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Answer one request; an unknown verb is an answer too, and what was answered before is answered the same."""
    if event.denied:
        return
    before = state.answers.get(event.request)
    if requests.differs(state, event):
        commands.append(answer(event, f"{event.request} was used for another request", "key_reused"))
        return
    if before is not None:
        commands.append(before)
        return
    if requests.full(state) and (alert := f"keys_full:{state.day.session}") not in state.alerts:
        words = f"{requests.KEYS_MAX} requests within a day: the oldest keys are forgotten before their time"
        commands.append(RaiseAlert(alert, Severity.WARNING, words))
    verb = VERBS.get(event.verb)
    if verb is None:
        commands.append(Answer(event.request, event.verb, "unknown_verb", f"joed does not know {event.verb!r}"))
        return
    verb(state, now, event, commands)


def kill(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Kill, or rehearse it."""
    (drill if event.args.get("drill") else engine_kill).asked(state, now, event, commands)


def release(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Lift a latched Block, by name or the kill's: needs a reason and reconciled brokers; live mode confirms anew."""
    at = event.args.get("block", KILLED_AT)
    block = state.blocks.get(at)
    if block is None or not block.latched:
        commands.append(answer(event, f"{at} is not latched", "nothing_to_release"))
    elif not event.reason.strip():
        commands.append(answer(event, "say why with --reason", "reason_needed"))
    elif state.journal_down:
        words = "the journal can't commit yet, so a release could not be kept: make room on its disk first"
        commands.append(answer(event, words, "journal_failed"))
    elif away := unreconciled(state):
        commands.append(answer(event, f"the books are not reconciled with {', '.join(away)}", "not_reconciled"))
    else:
        commands.append(LiftBlock(at, f"released by uid {event.uid}: {event.reason}"))
        if needs_confirmation(state):
            commands.append(RaiseBlock(unconfirmed(now)))
        if at == KILLED_AT:
            commands.append(Unlatch())
        commands.append(answer(event, f"{at} is released"))


def pause(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Forbid entries until resumed; positions stay managed."""
    commands.append(RaiseBlock(Block(ALL, PAUSED, event.reason or f"paused by uid {event.uid}", now)))
    commands.append(answer(event, "entries are paused"))


def resume(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Allow entries again after a pause."""
    at = key(ALL, PAUSED)
    if at in state.blocks:
        commands.append(LiftBlock(at, f"resumed by uid {event.uid}"))
        commands.append(answer(event, "entries are allowed again, as far as nothing else forbids them"))
    else:
        commands.append(answer(event, "nothing is paused", "nothing_to_resume"))


def run(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Run a job now, whatever its time; one that runs already is not run twice."""
    name = event.args.get("job", "")
    job = state.jobs.get(name, schedule.NEVER)
    if name not in times.TABLE:
        words = f"there is no job {name!r}; there are {', '.join(times.TABLE)}"
        commands.append(answer(event, words, "job_unknown"))
    elif not state.day.session or state.stopping:
        commands.append(answer(event, "no session is under way, so there is nothing to think about", "no_session"))
    elif schedule.in_flight(state, job, now):
        commands.append(answer(event, f"{name} runs already", "job_running"))
    else:
        commands.append(schedule.start(state, now, name))
        commands.append(answer(event, f"{name} runs; joectl jobs tells how it went"))


def flush(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Name this record: its Answer leaves when it is durable, and with it all before it; the shell stores State."""
    commands.append(answer(event, f"durable to seq {state.seq}"))


VERBS: dict[str, Callable[[State, int, OperatorAsked, list[Command]], None]] = {
    "confirm": confirm,
    "kill": kill,
    "release": release,
    "pause": pause,
    "resume": resume,
    **HANDS,
    "flush": flush,
    "run": run,
    "doctor": doctor,
    "reload": reloading.refused,
    "ack": alerting.ack,
    "alert_test": alerting.test,
}
"""What a person may ask of the engine; looking is the shell's."""
