"""What goes wrong at Capital.com in the seeded world: words of its script, drawn from a seed, each at its time."""

from random import Random

NAMES = ("GGG", "HHH")
"""What is traded there."""
WARM_UP_S = 70.0
SHARE, TIMES_MAX = 0.4, 3
LAGS = ("confirm", "positions", "orders", "activity", "activity_level")


def some(what):
    """Draw a trick on the next requests of a kind."""
    paths = ("POST /positions", "POST /workingorders", "DELETE /positions", "PUT /positions", "GET /positions", "GET /")
    return lambda chance: [(0.0, f"{what} {chance.choice(paths)} {chance.randint(1, 3)}")]


def spell(begin, end, least, most):
    """Draw a time during which something is so."""
    return lambda chance: [(0.0, begin), (round(chance.uniform(least, most), 1), end)]


def draw_lag(chance):
    """Draw what is told late, and by how much."""
    what, late_s = chance.choice(LAGS), chance.choice((1, 4, 30))
    return [(0.0, f"lag {what} {late_s}"), (round(chance.uniform(20, 90), 1), f"lag {what} 0")]


def draw_cut(chance):
    """Draw a stream that is cut, and how long none is let in."""
    return [(0.0, "refuse"), (0.0, "cut"), (round(chance.uniform(1, 60), 1), "admit")]


def draw_status(chance):
    """Draw a market that shuts for a while."""
    name = chance.choice(NAMES)
    return [(0.0, f"status {name} CLOSED"), (round(chance.uniform(10, 60), 1), f"status {name} -")]


CAPITAL_FAULTS = {
    **{what: some(what) for what in ("html", "empty", "java", "storm", "lose", "drop", "tear", "truncate", "hang")},
    "dead": spell("dead", "alive", 2, 60),
    "flood": spell(f"storm GET / {10**6}", "alive", 5, 45),
    "silent": spell("silent", "speak", 5, 80),
    "freeze": spell("freeze", "thaw", 5, 80),
    "cut": draw_cut,
    "revoke": lambda chance: [(0.0, "revoke")],
    "lag": draw_lag,
    "hedging": spell("hedging on", "hedging off", 5, 40),
    "status": draw_status,
    "reject": lambda chance: [(0.0, "reject RISK_CHECK")],
}
"""What goes wrong at Capital.com: words of its script, each so many seconds after the fault strikes."""


def capital_faults(seed, until_s):
    """Draw a seed's faults at Capital.com: (seconds from the world's begin, words), and how many there are."""
    found, count = [], 0
    for name, draw in CAPITAL_FAULTS.items():
        chance = Random(f"{seed}:capital:{name}")
        if chance.random() < SHARE:
            for _ in range(chance.randint(1, TIMES_MAX)):
                at_s, count = chance.uniform(WARM_UP_S, until_s - 1), count + 1
                found += [(at_s + after_s, words) for after_s, words in draw(chance)]
    return sorted(found), count
