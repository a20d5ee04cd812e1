"""Two runs of one day held against each other: what was wanted, in order, and for each difference its cause."""

from collections import Counter
from difflib import SequenceMatcher

from joed.model.values import SECOND

UNEXPLAINED = "NO CAUSE FOUND"
NEAR_NS = 60 * SECOND
"""How near an entry that one run refused is to the one that the other made."""


def differences(expected, found):
    """Give each intent that only one of the runs has in its place, as words with the cause."""
    ours, theirs = ([intent for _, intent in run.intents] for run in (expected, found))
    lines = []
    for tag, first, last, begin, end in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for at_ns, intent in expected.intents[first:last]:
            lines.append(f"only in the backtest: {told(intent)}: {cause(at_ns, intent, expected, found)}")
        for at_ns, intent in found.intents[begin:end]:
            lines.append(f"only over TCP:        {told(intent)}: {cause(at_ns, intent, found, expected)}")
    return lines


def told(intent):
    """Give an intent in words."""
    return " ".join(word for word in (*intent[:4], *intent.levels) if word not in ("", "None"))


def cause(at_ns, intent, mine, other):
    """Say why one run has an intent in this place and the other has not."""
    away = [(when - at_ns) / 1e9 for when, one in other.intents if one == intent]
    if away:
        return f"it stands {min(away, key=abs):+.2f} s away there: of two things of one moment another came first"
    for when, name, words in other.refused if intent.what == "enter" else ():
        if name == intent.instrument and abs(when - at_ns) <= NEAR_NS:
            return f"it was refused there {(when - at_ns) / 1e9:+.2f} s away: {words}"
    if intent.what == "enter" and (late := unmade(at_ns, intent, mine, other)):
        return late
    fills = [
        [fill[1:] for fill in run.fills if fill[1] == intent.instrument and fill[0] < at_ns] for run in (mine, other)
    ]
    here, there = (Counter(found) for found in fills)
    if here != there:
        one, two = (
            ", ".join(" ".join(fill[1:]) for fill in (some - more)) or "nothing"
            for some, more in ((here, there), (there, here))
        )
        return f"{intent.instrument} had filled {one}; there {two}"
    before = [
        [one for when, one in run.intents if one.instrument == intent.instrument and when < at_ns]
        for run in (mine, other)
    ]
    if before[0] != before[1]:
        return f"it follows from an earlier difference in {intent.instrument}"
    return UNEXPLAINED


def unmade(at_ns, intent, mine, other):
    """Say that the other run's worker had made no such Trigger yet, or ""."""
    begun = max((when for when, name in mine.made if name == intent.instrument and when <= at_ns), default=None)
    if begun is None or any(name == intent.instrument and begun - NEAR_NS < when <= at_ns for when, name in other.made):
        return ""
    later = min((when for when, name in other.made if name == intent.instrument and when > at_ns), default=None)
    when = "" if later is None else f": it came {(later - at_ns) / 1e9:+.2f} s away"
    return f"the worker had made no Trigger of {intent.instrument} there yet{when}"
