"""The ways to a person besides the log: how each is set up, what it owes, and what became of what it sent."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Le
from msgspec import Struct

from joed.model.event import Event
from joed.model.values import Severity


@dataclass(frozen=True, slots=True)
class AlertChannel:
    """One way to a person: the name of the credential that holds its address, and what it is used for.

    `after_s` above 0 makes it the one for what nobody has acknowledged in that time. `quiet` is a stretch of the day
    ("22:00-07:00 Europe/Berlin") in which all but critical alerts wait.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}
    credential: str
    at_least: Severity = Severity.WARNING
    after_s: Annotated[float, Ge(0), Le(86_400)] = 0.0
    quiet: str = ""
    per_hour_max: Annotated[int, Ge(1), Le(1_000)] = 30


@dataclass(frozen=True, slots=True)
class DeadMan:
    """An address, in a credential, that is asked as long as joed is well: whoever watches there misses it else."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}
    credential: str = ""
    every_s: Annotated[float, Ge(1), Le(3_600)] = 120.0


class Due(Struct, gc=False):
    """An alert that a channel owes a person: how loud, its words, since when, when it is told next, how often it was.

    `over` says that its matter has ended before anybody was told.
    """

    severity: Severity
    words: str
    raised_ns: int
    due_ns: int
    told: int = 0
    over: bool = False


class Channel(Struct):
    """How one way to a person does; `failed` says what is wrong with it, "" while it delivers.

    `owed` is what it has still to tell, `sending` what message `message` has under way since `begun_ns`; before
    `retry_ns` it is not tried again. `sent_ns` are the last messages' times, `dropped` counts what found `owed` full.
    `tested_ns` is when the last test by hand ended, `tested` how it failed.
    """

    name: str
    delivered_ns: int = 0
    failed_ns: int = 0
    failures: int = 0
    failed: str = ""
    owed: dict[str, Due] = {}
    sending: tuple[str, ...] = ()
    message: int = 0
    begun_ns: int = 0
    retry_ns: int = 0
    sent_ns: list[int] = []
    dropped: int = 0
    tested_ns: int = 0
    tested: str = ""


class AlertDelivered(Event, frozen=True, gc=False, tag="AlertDelivered"):
    """An alert left by a channel, or failed to; `message` is the number of the SendAlert that this answers."""

    key: str
    channel: str
    severity: Severity
    failed: str = ""
    message: int = 0
