"""The control socket's verbs: what is shown comes from the View, what is asked becomes an event with a durable answer.

Nothing here decides: it checks who asks, how much, and in what form, and says in the same form what came of it.
"""

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec
from aiohttp import web
from msgspec.structs import replace

import joed
from joed import protocol
from joed.daemon import doctor, first_day
from joed.daemon.cards import Cards
from joed.daemon.keys import Keys, Pace, fingerprint
from joed.daemon.lanes import BACKLOG, Connection, Lanes, Limits, Sieve, here
from joed.daemon.peer import Door, Peer, door, looked_up, role_of
from joed.daemon.problem import Problem, check_head, number_of, read_asked, read_key
from joed.daemon.reads import READS
from joed.daemon.watching import Source, Watchers
from joed.daemon.why import why
from joed.model.commands import Answer
from joed.model.events import OperatorAsked
from joed.model.kill import Receipt
from joed.model.values import SECOND
from joed.model.view import View
from joed.protocol import MUTATIONS, Header, Role

log = logging.getLogger("joed.control")

NAMES = "joectl orders and positions name what there is; joectl watchlist tells how far a trigger is"
MILLISECOND = 1_000_000
ACCEPTED_AT_ONCE = 16
"""Connections taken in one turn of the loop: a flood of them costs a quote some milliseconds at most."""


class LoopSide(Source, Protocol):
    """What the daemon gives to the control socket; nothing of it is past the durable horizon."""

    async def ask(self, asked: OperatorAsked) -> Answer:
        """Put a request into the intake and give its Answer once that is durable; the same request is put once."""

    def receipt(self) -> Receipt | None:
        """Give the receipt of the kill in force; also of one that a failed journal cannot keep."""

    async def flush(self) -> int:
        """Commit, write a snapshot, and give the durable seq."""

    def note(self, denied: OperatorAsked) -> None:
        """Record that somebody was refused."""

    def kill_answered(self, took_s: float) -> None:
        """Count how long a kill waited for its answer."""


class Control:
    """The server behind the socket; `boottime` gives CLOCK_BOOTTIME in ns, which deadlines are in."""

    def __init__(
        self,
        loop_side: LoopSide,
        *,
        state_dir: Path,
        boottime: Callable[[], int],
        limits: Limits | None = None,
        instance: str = "",
        entrance: Door | None = None,
    ) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()
        """Answers given, by verb and HTTP status: what metrics shows."""
        self._side = loop_side
        self._state_dir = state_dir
        self._boottime = boottime
        self._limits = limits or here()
        self._instance = instance
        self._door = entrance or door()
        self._keys = Keys()
        self._pace = Pace(self._limits.mutations_s, self._limits.uids)
        self._cards = Cards()
        self._denials = Pace(1, self._limits.uids)
        self._stopping = asyncio.Event()
        self._watchers = Watchers(loop_side, self._limits, self._stopping)
        self._runner: web.ServerRunner | None = None

    @property
    def watchers(self) -> int:
        """Give how many watch the record."""
        return self._watchers.count

    async def start(self, listening: socket.socket) -> None:
        """Serve on a socket that listens already: our own, or the one that systemd kept for us."""
        lanes = Lanes(self._handle, self._malformed, self._limits, lambda peer: role_of(peer, self._door))
        self._runner = web.ServerRunner(lanes, shutdown_timeout=1.0)
        await self._runner.setup()
        sieve = Sieve.over(listening, lanes.refuses)
        await web.SockSite(self._runner, sieve, backlog=ACCEPTED_AT_ONCE).start()
        sieve.listen(BACKLOG)  # the kernel's queue is long; what is taken from it in one turn of the loop is not

    async def stop(self) -> None:
        """Say goodbye to the watchers and close; answers under way get a second."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever happens: with what was asked for, or with a problem."""
        connection = request.protocol
        assert isinstance(connection, Connection)
        assert connection.peer is not None
        connection.answer_within(self._limits.handler_s + self._limits.write_s)
        verb, subject = _split(request.path)
        changes = request.method == "POST" and verb in MUTATIONS
        answer: web.Response | None
        began_ns = self._boottime()
        try:
            async with asyncio.timeout(self._limits.handler_s):
                answer = await self._dispatch(request, connection, verb, subject)
        except Problem as problem:
            answer = self._problem(verb, connection.peer, problem)
        except TimeoutError:
            words = f"no answer within {self._limits.handler_s:g} s"
            late = Problem(504, "timeout", words, retryable=True, outcome="unknown" if changes else "none")
            answer = self._problem(verb, connection.peer, late)
        except Exception:
            log.exception("control_failed verb=%s", verb)
            fault = Problem(500, "fault", "joed failed at this", outcome="unknown" if changes else "none")
            answer = self._problem(verb, connection.peer, fault)
        self.counts[verb, answer.status if answer else 200] += 1
        if changes and verb == "kill":
            self._side.kill_answered((self._boottime() - began_ns) / SECOND)
        if answer is None:
            return await self._watchers.serve(request, connection, self._headers(self._side.view()))
        connection.answer_within(self._limits.write_s)
        return await self._sent(request, answer)

    async def _sent(self, request: web.BaseRequest, answer: web.Response) -> web.StreamResponse:
        """Send an answer: a long one piece by piece, so that no reader's slowness fills our memory."""
        answer.force_close()
        body = answer.body
        if not isinstance(body, bytes) or len(body) <= self._limits.piece_bytes:
            return answer
        long = web.StreamResponse(status=answer.status, headers=answer.headers)
        long.content_length = len(body)
        long.force_close()
        with suppress(ConnectionError):  # the reader is gone
            await long.prepare(request)
            for start in range(0, len(body), self._limits.piece_bytes):
                await long.write(body[start : start + self._limits.piece_bytes])
            await long.write_eof()
        return long

    async def _dispatch(
        self, request: web.BaseRequest, connection: Connection, verb: str, subject: str
    ) -> web.Response | None:
        """Check who and what, then look or change; None means that the answer is a stream."""
        assert connection.peer is not None
        check_head(request, self._limits.header_bytes, verb)
        if connection.kill_only and (verb, request.method) != ("kill", "POST"):
            raise Problem(503, "busy", "too many connections", retryable=True)
        role = await self._role(connection.peer)
        if request.method == "POST" and verb in MUTATIONS:
            self._permit_change(verb, role, connection.peer)
            return await self._change(request, verb, connection.peer)
        if request.method == "GET" and verb in READS:
            _permit(verb, role, READS[verb].role)
            return await self._look(request, verb, subject)
        if verb:
            raise Problem(405, "method", f"{verb} is not asked with {request.method}")
        raise Problem(404, "unknown_verb", f"there is no {request.path!r}"[:200])

    async def _role(self, peer: Peer) -> Role:
        if peer.groups is None:
            peer = peer._replace(groups=await asyncio.to_thread(looked_up, peer.uid))
        return role_of(peer, self._door)

    async def _look(self, request: web.BaseRequest, verb: str, subject: str) -> web.Response | None:
        shown = self._side.view()
        if verb == "watch":
            self._watchers.check()
            number_of(request, "since")
            return None
        if verb == "why":
            return self._json(await self._why(subject, shown), shown)
        if verb == "version":
            about = {"joed": joed.__version__, "api": protocol.API, "api_min": protocol.API_MIN}
            return self._json({**about, "mode": shown.mode, "instance": self._instance, "epoch": shown.epoch}, shown)
        if verb == "doctor":
            return self._json({"checks": await asyncio.to_thread(doctor.checks, shown, self._state_dir)}, shown)
        if verb == "confirm":
            self._cards.note(shown)
        return self._json(READS[verb].show(shown), shown)

    async def _why(self, subject: str, shown: View) -> dict[str, Any]:
        """Give the story of an order, of a signal, or of all that was entered in an instrument."""
        if not subject:
            raise Problem(400, "order_missing", "name an order, an instrument or a signal: /v1/why/ORDER")
        found = await why(self._side, subject, shown, self._limits.why_records)
        if not any(found[part] for part in ("stories", "waiting", "now", "records")):
            raise Problem(404, "order_unknown", f"nothing is recorded of {subject!r}"[:200], hint=NAMES)
        return found

    async def _change(self, request: web.BaseRequest, verb: str, peer: Peer) -> web.Response:
        """Carry a request in, once for its key; a kill is never too fast and never too late."""
        key = read_key(request)
        if verb != "kill":
            self._pace.spend(peer.uid, self._boottime())
        reason, args, body = await self._read(request, verb)
        digest = fingerprint(verb, peer.uid, body)
        if before := self._keys.known(self._side.view(), key, verb, digest):
            return self._answered(before, headers={Header.REPLAYED: "true"})
        if verb != "kill":
            self._refuse_late(request)
        asked = OperatorAsked(verb, key, peer.uid, peer.gid, peer.pid, reason, args, digest)
        with self._keys.under_way(key, digest):
            if verb == "kill":
                return await self._kill(asked)
            if verb == "doctor":
                return await self._examine(asked)
            answer = await self._side.ask(asked)
            if verb == "confirm":
                changes = self._cards.changes(args.get("card", ""), self._side.view())
                return self._answered(answer, changes=changes)
            if verb == "flush":
                await self._side.flush()
            return self._answered(answer)

    async def _examine(self, asked: OperatorAsked) -> web.Response:
        """Look at everything that a first live day needs, and have it recorded."""
        drilled = asked.args.get("drilled", "")
        found = await asyncio.to_thread(first_day.checks, self._side.view(), self._state_dir, drilled)
        answer = await self._side.ask(replace(asked, args=first_day.outcome(found)))
        return self._answered(answer, checks=[check._asdict() for check in found])

    async def _read(self, request: web.BaseRequest, verb: str) -> tuple[str, dict[str, str], bytes]:
        """Read what is asked; whoever dawdles keeps nobody else from the kill's lane."""
        wait_s = self._limits.kill_body_s if verb == "kill" else self._limits.body_s
        try:
            async with asyncio.timeout(wait_s):
                return await read_asked(request, verb, self._limits.body_bytes)
        except TimeoutError as error:
            raise Problem(408, "body_late", f"the body did not come within {wait_s:g} s", retryable=True) from error

    def _permit_change(self, verb: str, role: Role, peer: Peer) -> None:
        """Refuse who may not, in the record too: who tried to confirm or to kill is worth knowing."""
        try:
            _permit(verb, role, MUTATIONS[verb].role)
        except Problem as problem:
            if self._denials.spare(peer.uid, self._boottime()):
                self._side.note(OperatorAsked(verb, "", peer.uid, peer.gid, peer.pid, denied=problem.code))
            raise

    def _refuse_late(self, request: web.BaseRequest) -> None:
        deadline = number_of(request, Header.DEADLINE)
        if deadline is not None and (late := self._boottime() - deadline) > 0:
            raise Problem(410, "too_late", f"its deadline passed {late // MILLISECOND} ms ago", retryable=True)

    async def _kill(self, asked: OperatorAsked) -> web.Response:
        """Latch before anything can wait, then bring the latch to the disk and the kill to the engine at once.

        A drill's file is made by the engine's word alone: a look meanwhile would take it for a real kill's.
        """
        if asked.args.get("drill"):
            return self._answered(await self._side.ask(asked), kill=self._side.receipt())
        failed = _latched(self._state_dir, asked.args.get("scope", protocol.SCOPE_DEFAULT))
        synced = asyncio.to_thread(_synced, self._state_dir)
        try:
            async with asyncio.timeout(self._limits.kill_s):
                answer, not_synced = await asyncio.gather(self._side.ask(asked), synced)
        except TimeoutError:
            if failed:
                raise
            words = "latched: nothing new is sent; joed has not answered yet"
            body = {"request": asked.request, "verb": "kill", "code": "latched", "words": words, "latched": True}
            return self._json(body, self._side.view(), status=202)
        trouble = failed or not_synced
        return self._answered(answer, latched=not failed, trouble=trouble, kill=self._side.receipt())

    def _answered(self, answer: Answer, headers: dict[str, str] | None = None, **more: object) -> web.Response:
        """Put the engine's Answer into a response: a yes as it is, a refusal as a problem."""
        shown = self._side.view()
        if answer.code != "ok":
            status = 409 if answer.code in protocol.CONFLICTS - {"key_reused"} else 422
            refusal = Problem(status, answer.code, answer.words).body()
            return self._respond(
                msgspec.json.encode({**refusal, **more}), shown, status, protocol.PROBLEM_TYPE, headers
            )
        plain = {"request": answer.request, "verb": answer.verb, "code": answer.code, "words": answer.words}
        if answer.orders:
            more = {**more, "orders": answer.orders, "dry_run": answer.dry_run}
        use = shown.keys.get(answer.request)
        seq = use.seq if use else shown.seq  # the record that answered: a retry says the same
        return self._respond(msgspec.json.encode({**plain, **more, "seq": seq}), shown, headers=headers)

    def _problem(self, verb: str, peer: Peer, problem: Problem) -> web.Response:
        if problem.status in {403, 429}:
            log.warning("control_refused verb=%s code=%s uid=%d pid=%d", verb, problem.code, peer.uid, peer.pid)
        headers = {"Retry-After": "1"} if problem.status == 429 else None
        body = msgspec.json.encode(problem.body())
        return self._respond(body, self._side.view(), problem.status, protocol.PROBLEM_TYPE, headers)

    def _malformed(self, status: int) -> web.StreamResponse:
        self.counts["", status] += 1
        body = msgspec.json.encode(Problem(status, "bad_request", "this is not a request that joed can read").body())
        return self._respond(body, self._side.view(), status, protocol.PROBLEM_TYPE)

    def _json(self, body: object, shown: View, status: int = 200) -> web.Response:
        return self._respond(msgspec.json.encode(body), shown, status)

    def _respond(
        self,
        body: bytes,
        shown: View,
        status: int = 200,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> web.Response:
        every = {**self._headers(shown), **(headers or {})}
        return web.Response(body=body, status=status, content_type=content_type, headers=every)

    def _headers(self, shown: View) -> dict[str, str]:
        return {
            Header.VERSION: joed.__version__,
            Header.API: protocol.API,
            Header.MODE: str(shown.mode),
            Header.INSTANCE: self._instance,
            Header.SEQ: str(shown.seq),
        }


def _split(path: str) -> tuple[str, str]:
    """Give the verb that a path names, "" where it names none, and what stands behind it."""
    if not path.startswith("/v1/"):
        return "", ""
    verb, _, subject = path.removeprefix("/v1/").partition("/")
    return (verb, subject) if verb in READS or verb in MUTATIONS else ("", "")


def _permit(verb: str, role: Role, needed: Role) -> None:
    if role < needed:
        words = f"{verb} needs the role {needed.name.lower()}, yours is {role.name.lower()}"
        hint = f"the group {protocol.VIEWERS} may look, {protocol.OPERATORS} may act; log in again after joining one"
        raise Problem(403, "not_permitted", words, hint=hint)


def _latched(state_dir: Path, scope: str) -> str:
    """Make the latch files; give what went wrong, in words."""
    try:
        protocol.latch(state_dir, scope, sync=False)
    except OSError as error:
        log.critical("latch_failed scope=%s error=%s", scope, error.strerror)
        return f"the latch file could not be made: {error.strerror}"
    return ""


def _synced(state_dir: Path) -> str:
    """Bring the latch to the disk; give what went wrong, in words."""
    try:
        protocol.sync_latch(state_dir)
    except OSError as error:
        return f"the latch may not outlast a power cut: {error.strerror}"
    return ""
