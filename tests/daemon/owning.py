"""A user's own strategy for the tests of what holds it: a few lines of a file, asked in a fenced process."""

from contextlib import contextmanager
from decimal import Decimal
from hashlib import sha256

import numpy as np

from joed.daemon.sandbox import Fenced
from joed.model.events import Candidate
from joed.model.values import MINUTE
from joed.strategies.context import Context

HEAD = """
from decimal import Decimal
from joed.model.triggers import Trigger
from joed.model.values import Crossing, Side

def buy(context, name="A", level="101", stop="99", target="105", **more):
    return Trigger(name, Side.BUY, Decimal(level), Crossing.ABOVE, context.now_ns + 10**18, Decimal(stop),
                   Decimal(target), "somebody", "first", **more)
"""
NOW = 1_000 * MINUTE


def context(**changes):
    """Build a moment with one name on the watchlist."""
    given = {
        "now_ns": NOW,
        "session": "2026-11-20",
        "open_ns": NOW - MINUTE,
        "close_ns": NOW + MINUTE,
        "regime": "bull",
        "watchlist": (Candidate("A", 70.0),),
        "params": {},
        "risk": Decimal("0.004"),
        "minutes": {"A": np.arange(12.0).reshape(2, 6)},
    }
    return Context(**(given | changes))


@contextmanager
def asking(tmp_path):
    """Give what asks a strategy of these lines, with these parameters."""
    fenced = Fenced()

    def asked(lines, moment=None, regimes=("bull",), digest=None, **params):
        file = tmp_path / "mine.py"
        file.write_text(HEAD + lines)
        found = sha256(file.read_bytes()).hexdigest() if digest is None else digest
        given = {"file": str(file), "entry": "", "digest": found, "regimes": list(regimes)}
        given |= {f"params.{name}": value for name, value in params.items()}
        return fenced.ask("own:mine", given, moment or context())

    yield asked
    fenced.forget("own:mine")
    assert not fenced._running
