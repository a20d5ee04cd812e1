"""joed with a mad rule: it sends an entry at each quote of one name, whatever forbids it, so that only the gate holds.

`python -m tests.faults.eager KO --demo …`. The entries rest far below the market and never fill. Where the file `block`
lies in the state directory, the next Tick blocks the loop for as many seconds as stand in it; `memory` raises there.
"""

import sys
import time
from decimal import Decimal
from pathlib import Path

from joed.__main__ import main
from joed.engine import orders, step
from joed.model.commands import SubmitOrder
from joed.model.events import Quote, Tick
from joed.model.values import SECOND, Kind, Leg, Side


def plant(name, root):
    """Put the rules behind the engine's own."""
    block, memory = root / "block", root / "memory"

    def enters(state, now, quote, commands):
        if quote.instrument != name or not state.brokers or len(state.resting) > 400:
            return
        level = Decimal(int(quote.bid / 2))
        entry, stop = orders.order_ids(state, len(commands), (Leg.ENTRY, Leg.STOP))
        commands.append(
            SubmitOrder(
                entry, "paper", name, Side.BUY, Decimal(1), Kind.LIMIT, Leg.ENTRY, True,
                level=level, stop_order=stop, stop=level - 1, group=entry, strategy="mad", signal=entry,
                expires_at_ns=now + 30 * SECOND,
            )
        )  # fmt: skip

    def hangs(state, now, tick, commands):
        if block.exists():
            seconds = float(block.read_text())
            block.unlink()
            (root / "blocked").touch()
            time.sleep(seconds)
        if memory.exists():
            memory.unlink()
            raise MemoryError("planted")

    step.RULES[Quote] = (*step.RULES[Quote], enters)
    step.RULES[Tick] = (*step.RULES[Tick], hangs)


if __name__ == "__main__":
    name, *words = sys.argv[1:]
    plant(name, Path(words[words.index("--state-dir") + 1]))
    sys.exit(main(words))
