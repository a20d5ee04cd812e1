"""Faults by script, for a person who tries joed against the service: one line each, SECONDS NAME WORDS.

SECONDS count from the start, or are a time of its clock (2026-09-01T14:00:00Z); `#` begins a comment.
What follows METHOD and PATH is for the next TIMES requests (1).

| name | words | what |
|---|---|---|
| html empty java echo storm lose drop tear truncate hang | METHOD PATH TIMES | as in `faults.Faults` |
| late | METHOD PATH SECONDS | the answer comes late |
| dead alive | | all of REST, until it is alive |
| silent speak | | the feed says nothing, pings are answered |
| freeze thaw | | the stream is half open |
| cut refuse admit | | the stream's connections are reset; new ones are turned away, or not |
| edge | SECONDS | quiet streams are cut off so soon |
| revoke | | every token is invalid |
| cap | SECONDS | a session's hard end |
| switch | | the other account is the active one, from elsewhere |
| hedging | on/off | from elsewhere |
| lag | WHAT SECONDS | confirm, positions, orders, activity, activity_level |
| status modes | EPIC WORD | marketStatus (- lets the hours decide), marketModes |
| widen | EPIC PERCENT | the least distance of stops |
| null price | EPIC | its bid is null, or is there again |
| close | SOURCE | all positions, from elsewhere: USER, CLOSE_OUT, DEALER |
| reject | REASON | the next order |
| night | | the fee of a night is booked |
| offset | HOURS | the account's time zone |
"""

from datetime import datetime
from functools import partial

from joed.errors import ConfigError
from joed.model.values import SECOND

LAGS = ("confirm", "positions", "orders", "activity", "activity_level")


def trick(verb):
    """Give the fault that throws a trick of REST."""

    def throw(fake, method, path, times="1"):
        getattr(fake.faults, verb)(method, path, int(times))

    return throw


def late(fake, method, path, seconds):
    """Answer one request late."""
    fake.faults.delay(method, path, float(seconds))


def setting(part, name, kind):
    """Give the fault that sets something of a part of the service."""

    def set_it(fake, value):
        setattr(getattr(fake, part), name, kind(value))

    return set_it


def switch(fake):
    """Make the other account the active one."""
    fake.switch_account(next(name for name in fake.accounts if name != fake.door.active_id))


def hedging(fake, word):
    """Turn hedging on or off."""
    fake.funds.account.hedging = {"on": True, "off": False}[word]


def lag(fake, what, seconds):
    """Let a part of what is told come late."""
    if what not in LAGS:
        raise ValueError(what)
    name = f"{what}_lag_s" if what in ("positions", "orders") else f"{what}_delay_s"
    setattr(fake.faults, name, float(seconds))


def listing(name, made):
    """Give the fault that sets something of an epic."""

    def set_it(fake, epic, *words):
        setattr(fake.listings[epic], name, made(*words))

    return set_it


def close(fake, source="USER"):
    """Close all positions from elsewhere."""
    for deal in fake.funds.open_deals():
        fake.close_externally(deal.deal, source)


TRICKS = {"storm": "too_many", "lose": "lose_answer", "drop": "lose_request"}
FAULTS = {
    **{
        name: trick(TRICKS.get(name, name))
        for name in ("html", "empty", "java", "echo", "tear", "truncate", "hang", *TRICKS)
    },
    "late": late,
    "dead": lambda fake: fake.faults.dead(),
    "alive": lambda fake: fake.faults.clear(),
    "silent": lambda fake: setattr(fake.stream, "silent", True),
    "speak": lambda fake: setattr(fake.stream, "silent", False),
    "freeze": lambda fake: fake.stream.freeze(),
    "thaw": lambda fake: fake.stream.thaw(),
    "cut": lambda fake: fake.stream.cut(),
    "refuse": lambda fake: setattr(fake.stream, "refused", True),
    "admit": lambda fake: setattr(fake.stream, "refused", False),
    "edge": setting("stream", "edge_idle_s", float),
    "revoke": lambda fake: fake.door.revoke_all(),
    "cap": setting("door", "cap_s", float),
    "switch": switch,
    "hedging": hedging,
    "lag": lag,
    "status": listing("status", lambda word: "" if word == "-" else word),
    "modes": listing("modes", lambda *words: list(words)),
    "widen": lambda fake, epic, percent: fake.widen(epic, percent),
    "null": listing("null_bid", lambda: True),
    "price": listing("null_bid", lambda: False),
    "close": close,
    "reject": lambda fake, reason: fake.faults.rejects.append(reason),
    "night": lambda fake: fake.charge_overnight(),
    "offset": setting("funds", "offset_h", float),
}


def happen(fake, name, *words):
    """Have one fault happen now; ConfigError where its words are none."""
    if name not in FAULTS:
        raise ConfigError(f"no fault {name}: one of {', '.join(FAULTS)}")
    try:
        FAULTS[name](fake, *words)
    except (TypeError, ValueError, KeyError, ArithmeticError) as error:
        raise ConfigError(f"the fault {name} does not understand {' '.join(words)!r}") from error


def moment(word, now):
    """Give a time in ns: an ISO one, or so many seconds from now."""
    if "T" in word:
        return int(datetime.fromisoformat(word).timestamp() * SECOND)
    return now + int(float(word) * SECOND)


def play(fake, text):
    """Plan a script's faults; ConfigError for a line that is none."""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            at_ns = moment(words[0], fake.clock.now())
            name = words[1]
        except (ValueError, IndexError):
            raise ConfigError(f"line {number} of the faults says {line!r}, not: SECONDS NAME WORDS") from None
        if name not in FAULTS:
            raise ConfigError(f"line {number} of the faults: no fault {name}: one of {', '.join(FAULTS)}")
        fake.clock.call_at(at_ns, partial(happen, fake, name, *words[2:]))
