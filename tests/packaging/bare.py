"""joed at an exchange that loses stops: `python -m tests.packaging.bare --demo …`.

While the file `bare` lies in the state directory, each working stop is gone with the next price, and each new one is
taken and gone at once.
"""

import sys
from pathlib import Path

from joed.__main__ import main
from joed.exchange import Exchange
from joed.model.events import OrderAccepted, OrderCancelled
from joed.model.values import Kind, Status


def plant(bare):
    """Have the exchange lose stops while this file is there."""
    submit, take = Exchange.submit, Exchange.quote

    def loses(self, now, command):
        if command.kind is Kind.STOP and bare.exists():
            return [OrderAccepted(command.order, "lost"), OrderCancelled(command.order, "lost")]
        return submit(self, now, command)

    def drops(self, now, quote):
        live = list(self._live.get(quote.instrument, {}).values()) if bare.exists() else []
        for order in live:
            if order.kind is Kind.STOP and self.position(order.instrument):
                self._finish(now, order, Status.CANCELLED, "lost")
        return [*self._end(), *take(self, now, quote)]

    Exchange.submit, Exchange.quote = loses, drops


if __name__ == "__main__":
    words = sys.argv[1:]
    plant(Path(words[words.index("--state-dir") + 1]) / "bare")
    sys.exit(main(words))
