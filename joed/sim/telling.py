"""The law of alerts: each that is in the record has reached its channel, whatever was down, cut or killed meanwhile."""

from collections import Counter
from collections.abc import Iterable, Mapping

from joed.daemon.clock import SimulatedClock
from joed.daemon.store import Entry
from joed.model.channels import AlertChannel, AlertDelivered
from joed.model.commands import Acknowledge, RaiseAlert, SendAlert
from joed.model.values import SECOND, Severity

CHANNEL = "phone"
SENDING_NS = 2 * SECOND
"""How long a message is under way; one whose process dies with joed never arrives."""
CHANNELS = {
    CHANNEL: AlertChannel("none", per_hour_max=1_000),
    "pager": AlertChannel("none", Severity.CRITICAL, after_s=30.0),
}
"""How a person is reached in the world: at once, with room for an hour of faults, and louder where nobody sees it."""


class Told:
    """What reached a person, and when it first did; there is a route but until `down_until_ns`."""

    def __init__(self, clock: SimulatedClock, counts: Counter[str]) -> None:
        """Hear what arrives, by this clock."""
        self.at_ns: dict[str, int] = {}
        self.down_until_ns = 0
        self._clock, self._counts = clock, counts

    @property
    def down(self) -> bool:
        """Say whether nothing arrives now."""
        return self._clock.now() < self.down_until_ns

    def arrived(self, message: SendAlert) -> AlertDelivered:
        """Let a message arrive, or not, and give what its sender hears."""
        reason, now = "no route" if self.down else "", self._clock.now()
        self._counts["messages failed" if reason else "messages"] += 1
        if message.channel == CHANNEL and not reason:
            self.at_ns |= {key: now for key in message.keys if key not in self.at_ns}
        key = next(iter(message.keys), "")
        return AlertDelivered(key, message.channel, message.severity, reason, message.message)


def untold(entries: Iterable[Entry], told: Mapping[str, int], until_ns: int) -> str:
    """Say which alert of the record, raised before this time, never left by the first channel; "" for none.

    `told` holds when each key first left while there was a route. One that a person acknowledged needs no telling, and
    no channel tells of its own failure.
    """
    raised: dict[str, int] = {}
    own = f"alert_channel:{CHANNEL}"
    for _, now, _, commands in entries:
        for command in commands:
            if isinstance(command, RaiseAlert) and command.severity is not Severity.INFO:
                raised.setdefault(command.key, now)
            elif isinstance(command, Acknowledge):
                raised.pop(command.key, None)
    lost = [f"{key} of {at_ns}" for key, at_ns in raised.items() if at_ns < until_ns and key not in told and key != own]
    return f"{len(lost)} alerts never left: {', '.join(lost[:3])}" if lost else ""
