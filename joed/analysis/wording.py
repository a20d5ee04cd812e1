"""Whether a text says more than its facts: every figure, name and way must stand in what it was written from."""

import re

FIGURE = re.compile(r"\d[\d,]*(?:\.\d+)?")
NAME = re.compile(r"\b[A-Z][A-Z0-9]{1,5}\b")
WORD = re.compile(r"[a-z]+")
COUNTED = (
    *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
"""Words that count, from two on: a rewriter that writes them out is held to them as to figures."""
VAGUE = frozenset({"thousand", "million", "billion", "dozen", "hundred", "percent", "doubled", "halved", "tripled"})
"""Words that make another figure of one; percent is a sign that follows one in the facts, or is not there."""
GAINS = frozenset({"up", "gain", "gained", "gains", "profit", "profitable", "rose", "earned", "increase", "increased"})
LOSSES = frozenset({"down", "loss", "losing", "fell", "decline", "declined", "decrease", "decreased", "lost"})
CHARACTERS_MAX = 6_000


def unfounded(text: str, facts: str) -> str:
    """Say what stands in a text and not in its facts, "" where nothing does."""
    if not text.strip() or len(text) > CHARACTERS_MAX:
        return f"a text of {len(text)} characters"
    known = {plain(found) for found in FIGURE.findall(facts)}
    for found in FIGURE.findall(text):
        if plain(found) not in known:
            return f"the figure {found}"
    names = set(NAME.findall(facts))
    for found in NAME.findall(text):
        if found not in names:
            return f"the name {found}"
    words, there = set(WORD.findall(text.lower())), set(WORD.findall(facts.lower()))
    for number, word in enumerate(COUNTED, start=2):
        if word in words and str(number) not in known:
            return f"the count {word}"
    if strange := sorted((words & VAGUE) - there):
        return f"the word {strange[0]}"
    return turned(words, facts)


def turned(words: set[str], facts: str) -> str:
    """Say that a text tells of a gain where the first line of its facts tells of a loss, or the other way."""
    head, there = (set(WORD.findall(part.lower())) for part in (facts.partition("\n")[0], facts))
    for way, other in (("up", LOSSES), ("down", GAINS)):
        if way in head and (wrong := sorted((words & other) - there)):
            return f"the word {wrong[0]}, of a day that was {way}"
    return ""


def plain(figure: str) -> str:
    """Give a figure without its commas, and without zeros that say nothing."""
    whole, dot, part = figure.replace(",", "").partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (f"{dot}{part}" if part else "")
