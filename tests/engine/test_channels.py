"""Every alert reaches every channel that is for it: stored first, told again until seen, late rather than never."""

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joed.daemon.record import decode_state, encode_state
from joed.engine.channels import LOST_NS, OWED_MAX, RETRY_MAX_NS, RETRY_NS, TOGETHER_MAX
from joed.engine.step import refold, step
from joed.engine.view import view
from joed.model.blocks import Block
from joed.model.channels import AlertChannel, AlertDelivered, DeadMan
from joed.model.commands import LiftBlock, RaiseAlert, RaiseBlock, SendAlert, Stop, WindDown
from joed.model.events import EpochStarted, OperatorAsked, SettingsLoaded, Tick
from joed.model.settings import Alerts
from joed.model.values import HOUR, MINUTE, SECOND, Severity
from tests.engine.build import START, settings_of, trading_state

CRITICAL = RaiseAlert("c", Severity.CRITICAL, "no stop")
WARNING = RaiseAlert("w", Severity.WARNING, "slow")
INFO = RaiseAlert("i", Severity.INFO, "fine")
PHONE = AlertChannel("phone-url")
BACKUP = AlertChannel("backup-url", after_s=300.0)
SPACING_NS = int(Alerts().spacing_s * SECOND)
NIGHT = "22:00-07:00 Europe/Berlin"


def alerted(*alerts, now=START, **rows):
    """Give a State with these channels, in which these alerts were raised just now."""
    state = trading_state(now=now, alerts=Alerts(channels=rows or {"phone": PHONE}))
    refold(state, now, Tick(), list(alerts))
    return state


def sent(state, at):
    """Give the messages that a Tick sends."""
    return [command for command in step(state, at, Tick()) if isinstance(command, SendAlert)]


def ended(state, message, at, failed=""):
    """Let a message have arrived, or not; give the alerts that this raises."""
    key = next(iter(message.keys), "test")
    answer = AlertDelivered(key, message.channel, message.severity, failed, message.message)
    return [command for command in step(state, at, answer) if isinstance(command, RaiseAlert)]


def times(state, until, channel="phone", failed="", step_ns=SECOND, start=START):
    """Tick until then with a channel that answers at once; give the seconds at which it was tried."""
    found = []
    for at in range(start + step_ns, until, step_ns):
        for message in sent(state, at):
            ended(state, message, at, failed)
            found += [(at - start) // SECOND] if message.channel == channel else []
    return found


def ask(state, at, verb="ack", **args):
    """Ask as a person does; give the commands."""
    return step(state, at, OperatorAsked(verb, f"{verb}-{at}", 1000, 1000, 7, "", args))


def test_an_alert_is_sent_with_the_next_tick_in_words_that_say_whose_it_is_and_what_to_do():
    """Paper or live, how loud, the words, and the verb that quiets it; nothing before the record that raised it."""
    state = alerted(CRITICAL)

    (message,) = sent(state, START + SECOND)

    assert (message.channel, message.keys, message.severity) == ("phone", ("c",), Severity.CRITICAL)
    assert message.title == "joed paper: CRITICAL"
    assert message.words == "no stop\njoectl ack c"


def test_one_that_arrived_is_sent_again_with_growing_pauses_until_acknowledged():
    """After a minute, two, four; a warning a bounded number of times; then nothing."""
    state = alerted(WARNING)

    assert times(state, START + 12 * HOUR, step_ns=MINUTE // 2)[:5] == [30, 90, 210, 450, 930]
    assert state.channels["phone"].owed == {}

    state = alerted(WARNING)
    assert times(state, START + 5 * MINUTE) == [1, 61, 181]
    ask(state, START + 5 * MINUTE, key="w")
    assert times(state, START + 3 * HOUR, start=START + 5 * MINUTE) == []


def test_a_warning_ends_by_itself_and_a_critical_alert_goes_on_each_hour():
    """Nobody is called for ever about what can wait; what cannot wait is not forgotten after a night."""
    assert len(times(alerted(WARNING), START + 48 * HOUR, step_ns=MINUTE)) == 1 + Alerts().repeats_max
    found = times(alerted(CRITICAL), START + 48 * HOUR, step_ns=MINUTE)
    assert len(found) > 48
    assert found[-1] - found[-2] == HOUR // SECOND


def test_information_is_sent_once_where_a_channel_is_for_it():
    """And nowhere else."""
    state = alerted(INFO, phone=PHONE, log=AlertChannel("log-url", Severity.INFO))

    assert times(state, START + HOUR, "log") == [1]
    assert "phone" not in state.channels


@pytest.mark.parametrize(
    ("least", "told"),
    [(Severity.INFO, ["c", "i", "w"]), (Severity.WARNING, ["c", "w"]), (Severity.CRITICAL, ["c"])],
)
def test_each_channel_has_a_severity_below_which_it_is_silent(least, told):
    """Both sides of each step."""
    state = alerted(CRITICAL, WARNING, INFO, phone=AlertChannel("u", least))

    (message,) = sent(state, START + SECOND)

    assert sorted(message.keys) == told
    assert message.keys[0] == "c"


def test_the_same_matter_is_one_alert_however_often_it_is_raised():
    """Its newest words count, and it is never told less loudly than before; once acknowledged it is news again."""
    state = alerted(WARNING)
    ended(state, sent(state, START + SECOND)[0], START + SECOND)
    refold(state, START + 2 * SECOND, Tick(), [RaiseAlert("w", Severity.CRITICAL, "slower"), INFO])

    assert sent(state, START + 30 * SECOND) == []
    (again,) = sent(state, START + 61 * SECOND)
    assert again.words.startswith("slower (1 min ago, told once before)")
    ended(state, again, START + 61 * SECOND)
    ask(state, START + 62 * SECOND, all="yes")
    refold(state, START + 63 * SECOND, Tick(), [WARNING])
    assert [message.keys for message in sent(state, START + 70 * SECOND)] == [("w",)]


def test_what_nobody_acknowledges_is_escalated_to_the_second_channel_and_what_was_seen_is_not():
    """After its minutes, both sides; it goes on by the first."""
    state = alerted(WARNING, phone=PHONE, backup=BACKUP)
    assert times(state, START + 301 * SECOND, "backup") == [300]

    state = alerted(WARNING, phone=PHONE, backup=BACKUP)
    times(state, START + 299 * SECOND)
    ask(state, START + 299 * SECOND, key="w")
    assert times(state, START + HOUR, "backup") == []


def test_the_second_channel_does_not_wait_where_the_first_cannot_tell():
    """Nobody can have acknowledged what reached nobody."""
    state = alerted(WARNING, phone=PHONE, backup=BACKUP)
    (first,) = sent(state, START + SECOND)
    ended(state, first, START + SECOND, "no route")

    assert [message.channel for message in sent(state, START + 2 * SECOND)] == ["backup"]


def test_a_matter_that_ends_is_not_escalated_and_its_first_telling_still_comes():
    """A block that was raised and lifted while the telephone was down is told once, as over."""
    state = alerted(phone=PHONE, backup=BACKUP)
    block = Block("all", "vix", "fear")
    refold(state, START, Tick(), [RaiseBlock(block), RaiseAlert("vix:1", Severity.WARNING, "fear")])
    refold(state, START + SECOND, Tick(), [LiftBlock(block.key)])

    assert times(state, START + HOUR, step_ns=MINUTE) == [60]
    assert state.channels["backup"].owed == {}
    state = alerted(WARNING)
    state.alerts.clear()
    assert sent(state, START + SECOND)[0].words.splitlines()[0] == "slow (over by now)"


def test_a_channel_that_is_down_is_tried_less_and_less_often_and_one_message_tells_what_was_missed():
    """5 s, 10 s, 20 s, up to five minutes, for ever; then all that waited comes together, with its age."""
    state = alerted(WARNING)
    tried = times(state, START + HOUR, failed="no route")
    pauses = [later - sooner for sooner, later in pairwise(tried)]
    assert pauses[:4] == [5, 10, 20, 40]
    assert max(pauses) == RETRY_MAX_NS // SECOND
    assert (view(state).channels[0].failed, view(state).channels[0].waiting) == ("no route", 1)
    refold(state, START + HOUR, Tick(), [RaiseAlert("x", Severity.WARNING, "another")])

    (message,) = sent(state, START + HOUR + RETRY_MAX_NS)
    ended(state, message, START + HOUR + RETRY_MAX_NS)

    assert sorted(message.keys) == ["w", "x"]
    assert message.title == "joed paper: warning, 2 alerts"
    assert "slow (1 h 5 min ago)" in message.words
    assert message.words.endswith("joectl ack --all")
    assert view(state).channels[0].failed == ""


def test_a_new_critical_alert_tries_a_channel_at_once_that_is_being_spared():
    """Once; a warning waits for the channel's next turn."""
    state = alerted(WARNING)
    times(state, START + 20 * MINUTE, failed="no route")
    at = START + 20 * MINUTE
    quiet = next(t for t in range(at, at + HOUR, SECOND) if not sent(state, t))
    refold(state, quiet + SPACING_NS, Tick(), [CRITICAL])

    (message,) = sent(state, quiet + SPACING_NS + SECOND)

    assert message.keys[0] == "c"
    ended(state, message, quiet + SPACING_NS + SECOND, "no route")
    assert sent(state, quiet + SPACING_NS + 10 * SECOND) == []


def test_a_channel_that_fails_three_times_is_told_by_the_others_and_not_by_itself():
    """Its failure is an alert with its own end: the first delivery."""
    state = alerted(WARNING, phone=PHONE, mail=AlertChannel("mail-url"))
    for n in range(3):
        at = START + (n * 60 + 1) * SECOND
        (message,) = [m for m in sent(state, at) if m.channel == "phone"]
        raised = ended(state, message, at, "no route")

    assert [alert.words for alert in raised] == ["alerts do not leave by phone: no route"]
    assert "alert_channel:phone" in state.channels["mail"].owed
    assert "alert_channel:phone" not in state.channels["phone"].owed
    (message,) = [m for m in sent(state, START + 5 * MINUTE) if m.channel == "phone"]
    ended(state, message, START + 5 * MINUTE)
    assert "alert_channel:phone" not in state.alerts


def berlin(hour, minute):
    """Give a moment of a November day there."""
    return int(datetime(2026, 11, 27, hour, minute, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()) * SECOND


def test_in_quiet_hours_a_warning_waits_for_the_morning_and_a_critical_alert_does_not():
    """Both ends of the night; what waited comes in one message, and the list of channels says why it waits."""
    evening = berlin(21, 59)
    state = alerted(WARNING, now=evening, phone=AlertChannel("u", quiet=NIGHT))
    assert [m.keys for m in sent(state, evening + 59 * SECOND)] == [("w",)]

    night = berlin(22, 0)
    state = alerted(WARNING, RaiseAlert("x", Severity.WARNING, "y"), now=night, phone=AlertChannel("u", quiet=NIGHT))
    assert sent(state, night + HOUR) == []
    assert (view(state).channels[0].held, view(state).channels[0].waiting) == ("quiet", 2)
    refold(state, night + HOUR, Tick(), [CRITICAL])
    (loud,) = sent(state, night + HOUR + SECOND)
    assert loud.keys == ("c",)
    ended(state, loud, night + HOUR + SECOND)
    ask(state, night + HOUR + SECOND, key="c")
    assert sent(state, night + 9 * HOUR - SECOND) == []
    assert sorted(sent(state, night + 9 * HOUR)[0].keys) == ["w", "x"]


def test_beyond_the_hours_limit_milder_alerts_wait_and_the_channel_says_so():
    """In its own last message, in status and in the list; a critical one leaves, and the hour's end frees the rest."""
    state = alerted(phone=AlertChannel("u", per_hour_max=2))
    for n in range(4):
        refold(state, START + n * MINUTE, Tick(), [RaiseAlert(f"w{n}", Severity.WARNING, "x")])
        for message in sent(state, START + n * MINUTE + 10 * SECOND):
            ended(state, message, START + n * MINUTE + 10 * SECOND)
            last = message
    assert "the limit of 2 messages an hour is reached" in last.words
    assert view(state).channels[0].held == "limit"
    assert "alert_limit" in {need.code for need in view(state).needs}
    refold(state, START + 5 * MINUTE, Tick(), [CRITICAL])

    (loud,) = sent(state, START + 5 * MINUTE + SECOND)
    ended(state, loud, START + 5 * MINUTE + SECOND)

    assert loud.keys == ("c",)
    assert sent(state, START + 30 * MINUTE) == []
    assert {"w2", "w3"} <= set(sent(state, START + 62 * MINUTE)[0].keys)


def test_what_was_told_before_leaves_half_of_the_hour_to_what_is_new():
    """Ten warnings that nobody acknowledges do not use up what an eleventh needs."""
    state = alerted(
        *(RaiseAlert(f"w{n}", Severity.WARNING, "x") for n in range(10)), phone=AlertChannel("u", per_hour_max=8)
    )
    assert len(times(state, START + 30 * MINUTE)) == 4
    refold(state, START + 30 * MINUTE, Tick(), [RaiseAlert("new", Severity.WARNING, "y")])

    assert [message.keys for message in sent(state, START + 30 * MINUTE + SECOND)] == [("new",)]


def test_a_message_holds_few_alerts_and_the_rest_follows_at_a_bounded_pace():
    """Twenty critical alerts are three messages, five seconds apart: nothing is folded away and nobody is buried."""
    state = alerted(*(RaiseAlert(f"c{n}", Severity.CRITICAL, "x" * 500) for n in range(20)))

    counts = {}
    for at in range(START + SECOND, START + 20 * SECOND, SECOND):
        for message in sent(state, at):
            counts[(at - START) // SECOND] = len(message.keys)
            assert len(message.words) < 4096
            ended(state, message, at)

    assert counts == {1: TOGETHER_MAX, 6: TOGETHER_MAX, 11: 4}


def test_a_channels_account_is_bounded_and_the_mild_and_the_told_go_first():
    """What was left out is counted, in the list and in the next message."""
    state = alerted(CRITICAL, *(RaiseAlert(f"w{n}", Severity.WARNING, "x") for n in range(OWED_MAX)))

    assert len(state.channels["phone"].owed) == OWED_MAX
    assert "c" in state.channels["phone"].owed
    assert "w0" not in state.channels["phone"].owed
    assert view(state).channels[0].dropped == 1
    assert "(1 were left out: too many at once)" in sent(state, START + SECOND)[0].words
    full = alerted(*(RaiseAlert(f"c{n}", Severity.CRITICAL, "x") for n in range(OWED_MAX)), WARNING)
    assert "w" not in full.channels["phone"].owed


def test_a_message_that_was_under_way_when_the_process_died_is_sent_again():
    """Stored before it was sent: the snapshot has it, and the next process tells rather twice than never."""
    state = alerted(WARNING)
    (before,) = sent(state, START + SECOND)
    again = decode_state(encode_state(state), b"key")
    assert sent(again, START + 2 * SECOND) == []

    step(again, START + 3 * SECOND, EpochStarted(2, "crash", "0", "code"))
    (after,) = sent(again, START + 6 * SECOND)

    assert after.keys == before.keys
    assert after.message != before.message


def test_a_message_whose_end_is_never_heard_is_sent_again():
    """Both sides of the minute; the late answer of the first settles nothing."""
    state = alerted(WARNING)
    (before,) = sent(state, START + SECOND)
    assert sent(state, START + SECOND + LOST_NS - 1) == []

    (after,) = sent(state, START + SECOND + LOST_NS)
    ended(state, before, START + 2 * LOST_NS)

    assert state.channels["phone"].sending == after.keys
    ended(state, after, START + 2 * LOST_NS)
    assert state.channels["phone"].sending == ()


def test_a_channel_that_a_reload_takes_away_owes_nothing_and_a_new_one_tells_what_is_fresh_and_unseen():
    """Renaming a channel loses no alert; last week's are no news."""
    state = alerted(WARNING)
    seen = RaiseAlert("seen", Severity.WARNING, "x")
    refold(state, START, Tick(), [seen])
    ask(state, START, key="seen")
    renamed = settings_of(alerts=Alerts(channels={"pager": PHONE}))

    step(state, START + MINUTE, SettingsLoaded(renamed, "d"))
    assert list(state.channels) == ["pager"]
    assert [message.keys for message in sent(state, START + MINUTE + SECOND)] == [("w",)]
    late = alerted(WARNING)
    step(late, START + 2 * HOUR, SettingsLoaded(renamed, "d"))
    assert late.channels == {}


def test_a_reload_tries_a_failing_channel_at_once():
    """Its credential was mended: nobody wants to wait five minutes to see it."""
    state = alerted(WARNING)
    times(state, START + HOUR, failed="no route")

    step(state, START + HOUR, SettingsLoaded(state.settings, "d"))

    assert len(sent(state, START + HOUR + SPACING_NS + RETRY_NS)) == 1


def test_a_test_goes_by_the_named_channel_alone_and_settles_nothing_that_is_owed():
    """In quiet hours too; an unknown channel is named with those that there are."""
    night = berlin(23, 0)
    state = alerted(WARNING, now=night, phone=AlertChannel("u", quiet=NIGHT))

    message, answer = ask(state, night, "alert_test", channel="phone")
    assert (message.channel, message.keys, answer.code) == ("phone", (), "ok")
    ended(state, message, night)
    assert "w" in state.channels["phone"].owed
    assert (view(state).channels[0].delivered_ns, view(state).channels[0].tested_ns) == (night, night)
    (other,) = ask(state, night + SECOND, "alert_test", channel="phone")[:1]
    ended(state, other, night + 2 * SECOND, "no route")
    assert (view(state).channels[0].tested_ns, view(state).channels[0].tested) == (night + 2 * SECOND, "no route")
    (refused,) = ask(state, night + 1, "alert_test", channel="pager")
    assert (refused.code, refused.words) == ("channel_unknown", "there is no channel 'pager'; there are phone")


def test_an_orderly_end_waits_for_what_can_leave_and_not_for_a_channel_that_is_down():
    """A moment at most."""
    state = alerted(WARNING)
    refold(state, START, Tick(), [WindDown("over")])
    (message,) = sent(state, START + SECOND)
    assert not any(isinstance(command, Stop) for command in step(state, START + 2 * SECOND, Tick()))

    ended(state, message, START + 2 * SECOND)
    assert any(isinstance(command, Stop) for command in step(state, START + 3 * SECOND, Tick()))
    down = alerted(WARNING)
    ended(down, sent(down, START + SECOND)[0], START + SECOND, "no route")
    refold(down, START + SECOND, Tick(), [WindDown("over")])
    assert any(isinstance(command, Stop) for command in step(down, START + 2 * SECOND, Tick()))


def test_every_way_out_is_listed_tried_or_not_and_a_dead_man_that_is_silent_is_a_need_of_its_own():
    """What is set up and was never tried is seen too."""
    rows = Alerts(command=("/bin/tell",), channels={"phone": PHONE}, dead_man=DeadMan("watch-url"))
    state = trading_state(alerts=rows)
    assert [row.name for row in view(state).channels] == ["phone", "command", "dead_man"]

    step(state, START, AlertDelivered("dead_man", "dead_man", Severity.INFO, "HTTP 404"))

    assert "dead_man" in {need.code for need in view(state).needs}
    assert state.delivered_ns == 0
    for n in range(2):
        commands = step(state, START + n, AlertDelivered("dead_man", "dead_man", Severity.INFO, "HTTP 404"))
    assert [c.words for c in commands] == ["the ping to who watches joed does not leave: HTTP 404"]


SEVERITIES = st.sampled_from(Severity)
QUIETS = st.sampled_from(["", "", "", NIGHT, "00:00-23:59 UTC", "12:00-11:59 America/New_York"])
ROWS = st.builds(AlertChannel, st.just("u"), SEVERITIES, st.just(0.0), QUIETS, st.integers(1, 3))
RAISED = st.lists(st.tuples(st.integers(0, 120), SEVERITIES), min_size=1, max_size=25)


@settings(max_examples=40, deadline=None)
@given(ROWS, RAISED, st.integers(0, 6), st.integers(0, 23))
def test_no_critical_alert_is_ever_silenced(row, raised, down, hour):
    """Whatever the quiet hours, the limit and the storm: once its channel works, it has left within a minute.

    The channel fails its first `down` messages; a storm of n alerts takes n / 8 messages, five seconds apart.
    """
    begin, until = berlin(hour, 0), berlin(hour, 0) + 15 * MINUTE
    state = alerted(now=begin, phone=row)
    news, left, up_at = {}, {}, begin
    for n, (after, severity) in enumerate(raised):
        news.setdefault(begin + after * SECOND, []).append(RaiseAlert(f"{severity}{n}", severity, "x"))
    for at in range(begin, until, SECOND):
        if at in news:
            refold(state, at, Tick(), news[at])
        for message in sent(state, at):
            down -= 1
            ended(state, message, at, "no route" if down >= 0 else "")
            if down >= 0:
                up_at = at + RETRY_MAX_NS
            else:
                left |= {key: at for key in message.keys if key not in left}

    for at, alerts in news.items():
        for alert in alerts:
            if alert.severity is Severity.CRITICAL:
                assert left[alert.key] <= max(at, up_at) + MINUTE
