"""The person on duty: kills and releases, pauses and resumes, and releases what latched itself, as a person would."""

from collections import Counter
from collections.abc import Callable

from msgspec.structs import replace

from joed.daemon.clock import SimulatedClock
from joed.daemon.latch import Latches
from joed.model.blocks import ALL, key
from joed.model.commands import Answer
from joed.model.events import Event, OperatorAsked
from joed.model.state import State
from joed.model.values import SECOND, Scope
from joed.sim.conduct import REACH_NS
from joed.sim.laws import Watch

LOOKS_EVERY_NS = 10 * SECOND
WAITS_NS = 15 * SECOND
"""How long an answer is waited for before the question is put again."""
AGAIN_NS = 200_000
"""How soon after a release was decided somebody kills anew: before any commit has ended."""
KILLED = key(ALL, "killed")


class Operator:
    """What a person has done and still means to do; it outlives every life of joed."""

    def __init__(
        self,
        clock: SimulatedClock,
        latches: Latches,
        watch: Watch,
        emit: Callable[[Event], None],
        counts: Counter[str],
    ) -> None:
        """Speak through `emit`; kill by the file."""
        self._clock = clock
        self._latches = latches
        self._watch = watch
        self._emit = emit
        self._counts = counts
        self._requests = 0
        self._asked: dict[str, tuple[str, int]] = {}
        self._killed_ns = 0
        self._again = False
        self._releasing_ns = 0
        self._scope, self._scope_ns = Scope.ENTRIES, 0
        self.hung_until_ns = 0
        self.killed_until_ns = 0
        self.paused_until_ns = 0

    def kill(self, scope: Scope, seconds: float, *, told: bool, again: bool = False) -> None:
        """Latch a kill, and tell the daemon unless its socket is dead; mean to release it after a while.

        With `again` somebody else kills anew just as the release is on its way.
        """
        self._again = again
        now = self._clock.now()
        self._latches.write(scope)
        self._killed_ns = now
        if not self._watch.killed_ns or scope.width > self._scope.width:
            self._scope, self._scope_ns = scope, now
        self._watch.killed_ns = self._watch.killed_ns or now
        self.killed_until_ns = max(self.killed_until_ns, now + int(seconds * SECOND))
        if told:
            self._ask("kill", {"scope": scope.value})

    def pause(self, seconds: float) -> None:
        """Forbid entries for a while."""
        self.paused_until_ns = max(self.paused_until_ns, self._clock.now() + int(seconds * SECOND))
        self._ask("pause", {})

    def ask_twice(self, seconds: float) -> None:
        """Pause; the same request comes again, and once more with other words: it has one effect and one answer."""
        self.pause(seconds)
        name = f"world-{self._requests}"
        asked = OperatorAsked("pause", name, 1000, 1000, 1, "the world goes on", {})
        self._emit(asked)
        self._emit(replace(asked, verb="resume", reason="something else"))

    def calm(self) -> None:
        """Mean to release everything now."""
        now = self._clock.now()
        self.killed_until_ns, self.paused_until_ns = min(self.killed_until_ns, now), min(self.paused_until_ns, now)

    def look(self, state: State) -> None:
        """Look at the status, and ask for what is due."""
        now = self._clock.now()
        if self._let_go(state):  # its answer was lost with the process that had done it
            self._released()
        self._judge_kill(state, now)
        self._asked = {name: asked for name, asked in self._asked.items() if now - asked[1] < WAITS_NS}
        if key(ALL, "paused") in state.blocks and now >= self.paused_until_ns:
            self._watch.paused = False
            self._ask("resume", {})
        for block in [block for block in state.blocks.values() if block.latched or block.reason == "journal_failed"]:
            if block.key != KILLED or now >= self.killed_until_ns:
                self._ask("release", {"block": block.key})

    def _let_go(self, state: State) -> bool:
        """Say whether a release that was decided after the last kill is done: in the record, and in the file."""
        decided = 0 < self._watch.killed_ns <= self._killed_ns <= self._releasing_ns
        return decided and KILLED not in state.blocks and not self._latches.present()

    def _judge_kill(self, state: State, now: int) -> None:
        """See whether a kill has reached what it names, once joed has had the time and the link for it."""
        watch = self._watch
        since_ns = max(self._scope_ns, watch.read_ns, self.hung_until_ns)
        if not (watch.killed_ns and watch.read_since_up and now - since_ns >= REACH_NS):
            return
        watch.hold("a kill reaches", watch.conduct.reaches(watch.exchange, self._scope_ns, self._scope))
        if self._releasing_ns >= self._killed_ns:
            return  # its release waits for a slow disk: joed has let it go, the file shuts the gate until that is kept
        narrow = state.killed is None or state.killed.width < self._scope.width
        watch.hold("a kill reaches", f"joed knows of {state.killed}, the file says {self._scope}" if narrow else "")

    def answered(self, answer: Answer) -> None:
        """Hear an answer: only a release that was granted opens the gate again."""
        self._counts[f"answer {answer.verb} {answer.code}"] += 1
        before = self._watch.answers.setdefault(answer.request, f"{answer.verb} {answer.code}: {answer.words}")
        now = f"{answer.verb} {answer.code}: {answer.words}"
        same = before == now or "conflict" in answer.code
        self._watch.hold("a request has one answer", "" if same else f"first {before}, then {now}")
        what, _ = self._asked.pop(answer.request, ("", 0))
        if answer.code != "ok":
            return
        if what == f"release {KILLED}":
            self._released()
        elif what.startswith("pause"):
            self._watch.paused = self.paused_until_ns > self._clock.now()

    def releasing(self) -> None:
        """See a release decided, and not yet done: whoever kills from here on means it."""
        self._releasing_ns = self._clock.now()
        if self._again:
            self._clock.call_at(self._releasing_ns + AGAIN_NS, lambda: self.kill(Scope.ENTRIES, 20.0, told=False))

    def _released(self) -> None:
        """See the kill go that was released; one that came after that was decided was not."""
        if self._killed_ns <= self._releasing_ns:
            self._watch.killed_ns = 0
            return
        gone = "" if self._latches.present() else "a kill that came after the release was decided has lost its file"
        self._watch.hold("a later kill stays", gone)

    def _ask(self, verb: str, args: dict[str, str]) -> None:
        what = f"{verb} {args.get('block', '')}"
        if verb == "release" and any(asked == what for asked, _ in self._asked.values()):
            return
        self._requests += 1
        request = f"world-{self._requests}"
        self._asked[request] = (what, self._clock.now())
        self._emit(OperatorAsked(verb, request, 1000, 1000, 1, "the world goes on", args))
