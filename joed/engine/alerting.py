"""Alerts until somebody has seen them: told again, less and less often, until acknowledged; a channel that fails shows.

Each telling is a RaiseAlert in the record before it leaves. What leaves by a channel and does not arrive is tried again
soon; what arrives and is not acknowledged, a bounded number of times.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from joed.engine import channels
from joed.model.commands import Acknowledge, Answer, Command, RaiseAlert, SendAlert
from joed.model.events import AlertDelivered, OperatorAsked
from joed.model.state import Channel, State, Telling
from joed.model.values import HOUR, MINUTE, SECOND, Severity
from joed.model.view import AlertView, ChannelView, Need

PAUSE_MAX_NS = HOUR
RETRY_NS = 5 * SECOND
RETRY_MAX_NS = 5 * MINUTE
ROWS_MAX = 100
EACH_TICK_MAX = 4
"""Alerts told again within a second: a channel that comes back is not buried."""


def note(state: State, now: int, command: RaiseAlert) -> None:
    """Count a telling; a matter that comes back after it was acknowledged is news again (part of `apply`)."""
    telling = state.tellings.get(command.key)
    if telling is None or (telling.acked_ns and not command.repeat):
        telling = state.tellings[command.key] = Telling(now)
        channels.owe(state, now, command)
    elif not command.repeat:
        channels.reword(state, command)
    telling.told += 1
    pause_ns = int(state.settings.alerts.repeat_s * SECOND) << min(telling.told - 1, 16)
    telling.next_ns = now + min(pause_ns, PAUSE_MAX_NS)


def forget(state: State) -> None:
    """Let go of what is told no more, because its matter is over (part of `apply`)."""
    channels.forget(state)
    if len(state.tellings) > len(state.alerts):
        state.tellings = {key: telling for key, telling in state.tellings.items() if key in state.alerts}


def note_delivered(state: State, now: int, event: AlertDelivered) -> None:
    """Remember how the channel does, and when an alert that did not arrive is tried again (part of `apply`)."""
    channel = state.channels.setdefault(event.channel, Channel(event.channel))
    channel.failed = event.failed
    channel.failures = channel.failures + 1 if event.failed else 0
    if event.failed:
        channel.failed_ns = now
    else:
        channel.delivered_ns = now
        if event.channel != channels.DEAD_MAN:  # whose address is nobody's
            state.delivered_ns = now
    channels.note_ended(state, now, event)
    telling = state.tellings.get(event.key)
    if telling is None or event.channel in state.settings.alerts.channels:
        return  # a channel of its own keeps its own account
    telling.failed = event.failed
    telling.failures = telling.failures + 1 if event.failed else 0
    if event.failed:
        telling.next_ns = now + min(RETRY_NS << min(telling.failures - 1, 16), RETRY_MAX_NS)


def note_acknowledged(state: State, now: int, command: Acknowledge) -> None:
    """Let an alert rest (part of `apply`)."""
    telling = state.tellings.setdefault(command.key, Telling(now))
    telling.acked_ns, telling.acked_uid = now, command.uid
    channels.acknowledged(state, command.key)


def repeat(state: State, now: int, commands: list[Command]) -> None:
    """Tell again what nobody has acknowledged, as often as it is due."""
    due = [key for key, telling in state.tellings.items() if telling.next_ns <= now and wanted(state, key, telling)]
    commands.extend(replace(state.alerts[key], repeat=state.tellings[key].told) for key in due[:EACH_TICK_MAX])


def wanted(state: State, key: str, telling: Telling) -> bool:
    """Say whether an alert is to be told again at all."""
    alert = state.alerts.get(key)
    if alert is None or telling.acked_ns or alert.severity is Severity.INFO:
        return False
    return bool(telling.failed) or telling.told <= state.settings.alerts.repeats_max


def ack(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Acknowledge one alert by its key, or all: it stays listed, and is told no more."""
    key = event.args.get("key", "")
    open_ = [name for name in state.alerts if not acknowledged(state, name)]
    found = open_ if event.args.get("all") else [name for name in open_ if name == key]
    if not found:
        words = f"{key or 'nothing'} waits for no acknowledgement"
        commands.append(Answer(event.request, event.verb, "nothing_to_acknowledge", words))
        return
    commands.extend(Acknowledge(name, event.uid, event.reason) for name in found)
    words = f"{len(found)} alert{'' if len(found) == 1 else 's'} acknowledged"
    commands.append(Answer(event.request, event.verb, "ok", words))


def test(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Send a message by one channel, whatever it owes: a person wants to see it arrive."""
    name = event.args.get("channel", "")
    known = state.settings.alerts.channels
    if name not in known:
        words = f"there is no channel {name!r}; there are {', '.join(known) or 'none: alerts.yaml sets them up'}"
        commands.append(Answer(event.request, event.verb, "channel_unknown", words))
        return
    words = f"a test, asked for by uid {event.uid}: alerts reach you this way"
    commands.append(SendAlert(name, state.seq, (), Severity.INFO, f"joed {state.mode}: test", words))
    commands.append(Answer(event.request, event.verb, "ok", f"a test is on its way by {name}"))


def acknowledged(state: State, key: str) -> bool:
    """Say whether somebody has seen this alert."""
    telling = state.tellings.get(key)
    return telling is not None and telling.acked_ns > 0


def rows(state: State) -> tuple[AlertView, ...]:
    """Give the newest alerts as people see them."""
    return tuple(_row(state, alert) for alert in tuple(state.alerts.values())[-ROWS_MAX:])


def _row(state: State, alert: RaiseAlert) -> AlertView:
    telling = state.tellings.get(alert.key) or Telling(0, 1)
    return AlertView(
        key=alert.key,
        severity=alert.severity,
        words=alert.words,
        raised_ns=telling.raised_ns,
        told=telling.told,
        next_ns=telling.next_ns if wanted(state, alert.key, telling) else 0,
        failed=telling.failed,
        acked_ns=telling.acked_ns,
        acked_uid=telling.acked_uid if telling.acked_ns else None,
    )


def ways(state: State) -> tuple[ChannelView, ...]:
    """Give how each way to a person does: those that are set up, tried or not, and those that were tried."""
    held = dict(channels.held(state))
    listed = dict.fromkeys((*channels.names(state.settings.alerts), *state.channels))
    return tuple(_way(state.channels.get(name) or Channel(name), held.get(name, "")) for name in listed)


def _way(channel: Channel, held: str) -> ChannelView:
    return ChannelView(
        name=channel.name,
        delivered_ns=channel.delivered_ns,
        failed_ns=channel.failed_ns,
        failures=channel.failures,
        failed=channel.failed,
        waiting=channels.waiting(channel),
        held=held,
        dropped=channel.dropped,
        tested_ns=channel.tested_ns,
        tested=channel.tested,
    )


def needs(state: State) -> Iterator[Need]:
    """Give what waits for somebody's eyes: alerts that nobody has acknowledged, and a channel that fails."""
    for alert in tuple(state.alerts.values())[-ROWS_MAX:]:
        if alert.severity is not Severity.INFO and not acknowledged(state, alert.key):
            yield Need(alert.severity, "alert", alert.words)
    for channel in state.channels.values():
        if channel.failed and channel.name == channels.DEAD_MAN:
            yield Need(Severity.WARNING, "dead_man", f"who watches joed from outside hears nothing: {channel.failed}")
        elif channel.failed:
            words = f"alerts do not leave by the {channel.name}: {channel.failed}"
            yield Need(Severity.WARNING, "alert_channel", words)
    for name, why in channels.held(state):
        if why == "limit":
            words = f"{name} has sent its messages of this hour: only critical alerts leave by it now"
            yield Need(Severity.WARNING, "alert_limit", words)
