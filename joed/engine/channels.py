"""What each channel owes a person, and when it is told: every alert until it has left, then until it is acknowledged.

An alert is put into the channel's account with the record that raises it, so it is stored before it is sent. A channel
has one message under way at a time, with all that is due then: after an outage one message tells what was missed.
Non-critical alerts wait in quiet hours and beyond the hour's limit. A critical one waits for nothing but its channel.
"""

from collections.abc import Iterator

from joed.engine.phase import span
from joed.model.channels import AlertChannel, AlertDelivered, Channel, Due
from joed.model.commands import Command, RaiseAlert, SendAlert
from joed.model.settings import Alerts
from joed.model.state import State
from joed.model.values import HOUR, MINUTE, SECOND, Severity
from joed.model.windows import window_of

OWED_MAX = 200
"""Alerts that one channel remembers; beyond it the least severe and oldest goes, and the channel says how many went."""
TOGETHER_MAX = 8
"""Alerts in one message: it must be read on a telephone."""
WORDS_MAX = 400
LOST_NS = MINUTE
"""After so long a message whose end was not heard counts as not sent."""
PAUSE_MAX_NS = HOUR
RETRY_NS = 5 * SECOND
RETRY_MAX_NS = 5 * MINUTE
FAILING_AFTER = 3
"""Failures in a row until the other channels are told of it."""
NEW_CHANNEL_NS = HOUR
"""How old an unacknowledged alert may be to be told by a channel that a reload brings."""

COMMAND, DEAD_MAN = "command", "dead_man"
"""Two more rows in the list of channels, which owe nothing: `alerts.command`, and the address that watches joed."""
FAILS = "alert_channel"
TEST = "test"
"""What stands for the key in the end of a test by hand, which tells of no alert."""
RANK = {severity: place for place, severity in enumerate(Severity)}


def takes(row: AlertChannel, name: str, key: str, severity: Severity) -> bool:
    """Say whether a channel tells of this; none tells of its own failure."""
    return RANK[severity] >= RANK[row.at_least] and key != f"{FAILS}:{name}"


def owe(state: State, now: int, alert: RaiseAlert) -> None:
    """Put an alert that is news into the account of every channel that tells of it (part of `apply`)."""
    for name, row in state.settings.alerts.channels.items():
        if takes(row, name, alert.key, alert.severity):
            _put(state, now, name, row, alert)


def reword(state: State, alert: RaiseAlert) -> None:
    """Let what is owed already say the newest words, and no less loudly (part of `apply`)."""
    for channel in state.channels.values():
        due = channel.owed.get(alert.key)
        if due is not None:
            due.words = alert.words
            due.severity = max(due.severity, alert.severity, key=RANK.__getitem__)


def _put(state: State, now: int, name: str, row: AlertChannel, alert: RaiseAlert) -> None:
    channel = state.channels.setdefault(name, Channel(name))
    if len(channel.owed) >= OWED_MAX:
        least = min(channel.owed, key=lambda key: _weight(channel.owed[key]))  # the oldest of the lightest
        channel.dropped += 1
        if RANK[channel.owed[least].severity] > RANK[alert.severity]:
            return
        del channel.owed[least]
    channel.owed[alert.key] = Due(alert.severity, alert.words, now, now + int(row.after_s * SECOND))


def _weight(due: Due) -> tuple[int, bool]:
    """Give how much is lost where an alert is told no more: the mild weigh least, and what was told before."""
    return RANK[due.severity], not due.told


def acknowledged(state: State, key: str) -> None:
    """Owe nothing of an alert that somebody has seen (part of `apply`)."""
    for channel in state.channels.values():
        channel.owed.pop(key, None)


def forget(state: State) -> None:
    """Let go of what is over: what was told once, and what only its lasting would have sent (part of `apply`).

    What no message has told yet stays: that it happened is news, although it is over.
    """
    for name, row in state.settings.alerts.channels.items():
        channel = state.channels.get(name)
        if channel is None or not channel.owed:
            continue
        for key in [key for key in channel.owed if key not in state.alerts]:
            channel.owed[key].over = True
            if channel.owed[key].told or row.after_s:
                del channel.owed[key]


def begin(state: State) -> None:
    """Take what the last process had under way for not sent: rather twice than never (part of `apply`)."""
    for channel in state.channels.values():
        channel.sending, channel.retry_ns = (), 0


def note_settings(state: State, now: int, before: Alerts) -> None:
    """Drop the accounts of channels that are gone; give a new one what is fresh and unseen (part of `apply`)."""
    settings = state.settings.alerts
    for name in names(before):
        if name not in names(settings):
            state.channels.pop(name, None)
    for name, row in settings.channels.items():
        if name in state.channels:
            state.channels[name].retry_ns = 0
        if name in before.channels:
            continue
        for key, alert in state.alerts.items():
            telling = state.tellings.get(key)
            unseen = telling is not None and not telling.acked_ns and now - telling.raised_ns <= NEW_CHANNEL_NS
            if unseen and takes(row, name, key, alert.severity):
                _put(state, now, name, row, alert)


def names(settings: Alerts) -> tuple[str, ...]:
    """Name every way out that the settings know."""
    own = (COMMAND,) if settings.command else ()
    return (*settings.channels, *own, *((DEAD_MAN,) if settings.dead_man.credential else ()))


def send(state: State, now: int, commands: list[Command]) -> None:
    """Send what is due, one message a channel."""
    for name, row in state.settings.alerts.channels.items():
        channel = state.channels.get(name)
        if channel is None or not channel.owed or not _free(state, channel, now):
            continue
        keys = chosen(state, now, name)
        if keys:
            commands.append(_message(state, now, row, channel, keys))


def _free(state: State, channel: Channel, now: int) -> bool:
    """Say whether a channel can take a message: none is under way, and it is not being spared after a failure.

    A critical alert that came since the failure tries it at once, once.
    """
    if channel.sending and now - channel.begun_ns < max(LOST_NS, int(2 * state.settings.alerts.timeout_s * SECOND)):
        return False
    if channel.begun_ns and now - channel.begun_ns < int(state.settings.alerts.spacing_s * SECOND):
        return False
    fresh = any(
        due.severity is Severity.CRITICAL and not due.told and due.raised_ns > channel.begun_ns
        for due in channel.owed.values()
    )
    return now >= channel.retry_ns or fresh


def chosen(state: State, now: int, name: str) -> tuple[str, ...]:
    """Give the keys of what a channel has to tell now, as many as a message holds: the loudest, new, oldest first."""
    row, channel = state.settings.alerts.channels[name], state.channels[name]
    quiet, sent = _is_quiet(state, now, row), _sent(channel, now)
    ready = [
        key
        for key, due in channel.owed.items()
        if not _waits(row, due, quiet, sent) and _due(state, now, row, key, due)
    ]
    return tuple(sorted(ready, key=lambda key: _weight(channel.owed[key]), reverse=True)[:TOGETHER_MAX])


def _waits(row: AlertChannel, due: Due, quiet: bool, sent: int) -> bool:  # noqa: FBT001 - its one caller has just asked
    """Say whether an alert waits for the morning or the next hour; no critical one does that nobody was told of.

    What was told before has half of the hour's messages, so that what is new finds some left.
    """
    critical = due.severity is Severity.CRITICAL
    spent = sent >= (row.per_hour_max if not due.told else (row.per_hour_max + 1) // 2)
    return (quiet and not critical) or (spent and not (critical and not due.told))


def _due(state: State, now: int, row: AlertChannel, key: str, due: Due) -> bool:
    """Say whether it is one alert's time: its own, or at once where nobody else could tell of it."""
    early = row.after_s > 0 and not due.told and _first_line_fails(state, key, due)
    return now >= due.due_ns or early


def _is_quiet(state: State, now: int, row: AlertChannel) -> bool:
    return bool(row.quiet) and window_of(row.quiet).holds(now + state.utc_offset_ns)


def _sent(channel: Channel, now: int) -> int:
    """Count the messages of the last hour."""
    return sum(at_ns > now - HOUR for at_ns in channel.sent_ns)


def held_by(state: State, now: int, name: str) -> str:
    """Say what makes a channel's milder alerts wait: "quiet" hours, the hour's "limit", or "" for nothing."""
    row, channel = state.settings.alerts.channels[name], state.channels[name]
    if _is_quiet(state, now, row):
        return "quiet"
    return "limit" if _sent(channel, now) >= row.per_hour_max else ""


def _first_line_fails(state: State, key: str, due: Due) -> bool:
    """Say whether no channel that should have told at once can: then nobody can have acknowledged it either."""
    first = [
        name
        for name, row in state.settings.alerts.channels.items()
        if not row.after_s and takes(row, name, key, due.severity)
    ]
    return bool(first) and all(name in state.channels and state.channels[name].failed for name in first)


def _message(state: State, now: int, row: AlertChannel, channel: Channel, keys: tuple[str, ...]) -> SendAlert:
    """Put what is due into words: whose alert it is, what, how old, and what to do."""
    rows = [channel.owed[key] for key in keys]
    severity = rows[0].severity
    lines = [_line(now, due) for due in rows]
    waiting = len(channel.owed) - len(keys)
    if waiting:
        lines.append(f"({waiting} more in joectl alerts)")
    if channel.dropped:
        lines.append(f"({channel.dropped} were left out: too many at once)")
    if _sent(channel, now) + 1 == row.per_hour_max:
        lines.append(f"(the limit of {row.per_hour_max} messages an hour is reached: only critical alerts come now)")
    if any(due.severity is not Severity.INFO for due in rows):
        lines.append(f"joectl ack {keys[0]}" if len(keys) == 1 else "joectl ack --all")
    loud = severity.upper() if severity is Severity.CRITICAL else severity.value
    count = f", {len(keys)} alerts" if len(keys) > 1 else ""
    return SendAlert(channel.name, state.seq, keys, severity, f"joed {state.mode}: {loud}{count}", "\n".join(lines))


def _line(now: int, due: Due) -> str:
    age_ns = now - due.raised_ns
    notes = [f"{span(age_ns / SECOND)} ago"] if age_ns >= MINUTE else []
    notes += ["over by now"] if due.over else []
    notes += [f"told {due.told} times before"] if due.told > 1 else ["told once before"] if due.told else []
    words = due.words if len(due.words) <= WORDS_MAX else f"{due.words[:WORDS_MAX]}…"
    return f"{words} ({', '.join(notes)})" if notes else words


def note_sent(state: State, now: int, command: SendAlert) -> None:
    """Note what is under way; a message about no alert is a test, and its own affair (part of `apply`)."""
    channel = state.channels.setdefault(command.channel, Channel(command.channel))
    if command.keys:
        channel.sending, channel.message, channel.begun_ns = command.keys, command.message, now


def note_ended(state: State, now: int, event: AlertDelivered) -> None:
    """Settle what a message was about: told, and when again; or not, and when it is tried again (part of `apply`)."""
    channel, row = state.channels[event.channel], state.settings.alerts.channels.get(event.channel)
    if event.failed:
        channel.retry_ns = now + min(RETRY_NS << min(channel.failures - 1, 16), RETRY_MAX_NS)
    else:
        channel.retry_ns = 0
        state.alerts.pop(f"{FAILS}:{event.channel}", None)
    if event.key == TEST:
        channel.tested_ns, channel.tested = now, event.failed
    if row is None or not channel.sending or event.message != channel.message:
        return  # a test, or a message that was taken for lost and is under way again
    keys, channel.sending = channel.sending, ()
    if event.failed:
        return
    channel.sent_ns = [*channel.sent_ns, now][-row.per_hour_max :]
    channel.dropped = 0
    for key in keys:
        due = channel.owed.get(key)
        if due is not None:  # nobody has acknowledged it meanwhile
            due.told += 1
            due.due_ns = now + _pause_ns(state.settings.alerts, due.told)
            if not _again(state, key, due):
                del channel.owed[key]


def _pause_ns(settings: Alerts, told: int) -> int:
    return min(int(settings.repeat_s * SECOND) << min(told - 1, 16), PAUSE_MAX_NS)


def _again(state: State, key: str, due: Due) -> bool:
    """Say whether an alert that was told is told again: a critical one for as long as nobody acknowledges it."""
    if due.severity is Severity.INFO or key not in state.alerts:
        return False
    return due.severity is Severity.CRITICAL or due.told <= state.settings.alerts.repeats_max


def fails(state: State, now: int, event: AlertDelivered, commands: list[Command]) -> None:
    """Tell the other channels of one that fails again and again."""
    channel, key = state.channels[event.channel], f"{FAILS}:{event.channel}"
    known = event.channel != COMMAND and event.channel in names(state.settings.alerts)
    if known and event.failed and channel.failures >= FAILING_AFTER and key not in state.alerts:
        words = f"alerts do not leave by {event.channel}: {event.failed}"
        if event.channel == DEAD_MAN:
            words = f"the ping to who watches joed does not leave: {event.failed}"
        commands.append(RaiseAlert(key, Severity.WARNING, words))


def unsent(state: State, now: int) -> bool:
    """Say whether something new could leave right now: an orderly end waits for it, for a moment."""
    return any(
        channel.sending or (not channel.failed and chosen(state, now, name))
        for name, channel in state.channels.items()
        if name in state.settings.alerts.channels
    )


def waiting(channel: Channel) -> int:
    """Give how many alerts a channel has to tell and has not told yet."""
    return sum(not due.told for due in channel.owed.values())


def held(state: State) -> Iterator[tuple[str, str]]:
    """Give the channels that keep something back, each with why."""
    for name in state.settings.alerts.channels:
        if name in state.channels and state.channels[name].owed and (why := held_by(state, state.now, name)):
            yield name, why
