"""What a request on the control socket may look like, and how a refusal is said (RFC 9457)."""

import json
from typing import Any

import msgspec
from aiohttp import web

from joed.errors import JoedError
from joed.protocol import API, API_MIN, HOST, MUTATIONS, REASON_CHARACTERS_MAX, SCOPES, Header, plain, speaks

KEY_CHARACTERS_MAX = 128
VALUE_CHARACTERS_MAX = 200
NUMBER_CHARACTERS_MAX = 20
ALWAYS_ANSWERED = frozenset({"version", "kill"})
"""Verbs that a joectl of any age may use: a kill must not fail over a version."""


class Problem(JoedError):
    """A request that is refused or failed: what, whether trying again helps, and what is known of its effect."""

    def __init__(
        self, status: int, code: str, words: str, *, retryable: bool = False, outcome: str = "none", hint: str = ""
    ) -> None:
        super().__init__(words)
        self.status, self.code, self.words = status, code, words
        self.retryable, self.outcome, self.hint = retryable, outcome, hint

    def body(self) -> dict[str, Any]:
        """Give the fields of application/problem+json."""
        return {
            "type": f"urn:joed:problem:{self.code}",
            "title": self.code.replace("_", " "),
            "status": self.status,
            "detail": self.words,
            "code": self.code,
            "retryable": self.retryable,
            "outcome": self.outcome,
            "hint": self.hint,
        }


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be said with any mutation."""

    reason: str = ""
    args: dict[str, str] = {}


_asked = msgspec.json.Decoder(Asked)


def check_head(request: web.BaseRequest, header_bytes_max: int, verb: str) -> None:
    """Refuse what no joectl sends: a browser's headers, another host, too much, another version of the words."""
    if sum(len(name) + len(value) for name, value in request.raw_headers) > header_bytes_max:
        raise Problem(431, "headers_too_large", f"headers may hold {header_bytes_max} bytes")
    for name in ("Origin", "Referer"):
        if name in request.headers:
            raise Problem(403, "foreign", f"a request with {name} comes from a browser: use joectl")
    if request.headers.getall("Host", []) != [HOST]:
        raise Problem(421, "foreign", f"the host must be {HOST!r}", hint=f"curl http://{HOST}/v1/status")
    asked = request.headers.get(Header.API, API)
    if verb not in ALWAYS_ANSWERED and not speaks(asked):
        words = f"this joed answers API {API_MIN} to {API}, you speak {asked}"
        raise Problem(400, "api_version", words, hint="joectl and joed must be of one version")


def read_key(request: web.BaseRequest) -> str:
    """Give the idempotency key; without one a retry could do things twice."""
    key = request.headers.get(Header.KEY, "")
    if not key:
        raise Problem(428, "key_missing", f"send {Header.KEY}, fresh for each new request")
    if len(key) > KEY_CHARACTERS_MAX or not (key.isascii() and key.isprintable()):
        raise Problem(400, "key_unreadable", f"a key has at most {KEY_CHARACTERS_MAX} printable characters")
    return key


def number_of(request: web.BaseRequest, name: str) -> int | None:
    """Give a whole number from a header or the query, None where it is absent."""
    words = request.headers.get(name) or request.query.get(name)
    if words is None:
        return None
    if not (words.isascii() and words.isdecimal() and len(words) < NUMBER_CHARACTERS_MAX):
        raise Problem(400, "number_unreadable", f"{name} is not a whole number")
    return int(words)


async def read_asked(request: web.BaseRequest, verb: str, bytes_max: int) -> tuple[str, dict[str, str], bytes]:
    """Give the reason and the arguments of a mutation, and the body's bytes; only known words are let in."""
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise Problem(413, "body_too_large", f"a body may hold {bytes_max} bytes") from error
    except (web.PayloadAccessError, ConnectionError) as error:
        raise Problem(400, "body_unreadable", "the body ended early") from error
    try:
        asked = _asked.decode(body) if body else Asked()
        json.loads(body or b"{}", object_pairs_hook=_unique)  # msgspec lets the last of two equal names win
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise Problem(422, "body_unreadable", f"the body is not what {verb} takes: {error}") from error
    _check_words(verb, asked)
    return asked.reason, asked.args, body


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Give an object's fields; raise ValueError where a name stands twice: nobody knows which one was meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _check_words(verb: str, asked: Asked) -> None:
    known = MUTATIONS[verb].args
    for name, value in asked.args.items():
        if name not in known:
            takes = ", ".join(known) or "no arguments"
            raise Problem(422, "argument_unknown", f"{verb} takes {takes}, not {name!r}"[:VALUE_CHARACTERS_MAX])
        if len(value) > VALUE_CHARACTERS_MAX or not value.isprintable():
            raise Problem(422, "argument_unreadable", f"{name} must be at most {VALUE_CHARACTERS_MAX} plain characters")
    if asked.args.get("scope", SCOPES[0]) not in SCOPES:
        raise Problem(422, "scope_unknown", f"scope must be one of {', '.join(SCOPES)}")
    if asked.reason != plain(asked.reason):
        raise Problem(422, "reason_unreadable", f"a reason has at most {REASON_CHARACTERS_MAX} plain characters")
