"""A TWS (or Gateway) for tests and for trying joed out: the text wire at server version 176 over `joed.exchange`.

By itself: `python -m tests.fakes.tws --port 4002` is open at once, whatever the day, and streams AAPL and 19 others,
SPY and VIX; `--clock ORIGIN@SPEED` lets it begin elsewhere and run faster, `--data FILE` plays bars or quotes.

In a test, on the loop that runs and by the clock that it is given, over an exchange that the test holds:

    tws = FakeTws(exchange, clock)
    port = await tws.listen()            # or loop.create_server(tws.accept, …) of a simulated loop
    tws.quote(Quote("AAPL", 99.9, 100))  # to whoever watches, and to the exchange
    …
    tws.stop()

What goes wrong is a table of names (faults.py): `act(tws, "cable")` in a test, `--fault "5 cable"` on the command line,
`--faults FILE` for a script.

No call of it sleeps or reads a clock of its own; rates are counted in the loop's time. What a test does to the exchange
directly is not told on the wire, as in a gap, but every later answer has it. tests/fakes/rig.py shows the rest.

What is decided here because no document says it (verify on a paper account): an order that waits for its transmit
flag shows PendingSubmit; a rejected one Inactive, and is told in completed orders; an order of the day ends as
Cancelled with 202; a child shows whyHeld `child`, a stop `trigger`; a parent's partial fill lets its children work for
what has filled; totalQuantity is what has filled and what is left.
"""

from tests.fakes.tws.server import FakeTws

__all__ = ["FakeTws"]
