"""A Capital.com for tests and for trying joed out: its REST and its WebSocket over `joed.exchange`.

By itself: `python -m tests.fakes.capital --port 8880` trades a few instruments around the clock and prints what to set
(`rest_url`, the credentials); `--clock ORIGIN@SPEED` lets it begin elsewhere and run faster, `--data FILE` plays bars
or quotes.

In a test, on the loop that runs, real or virtual, and by the clock that it is given, over an exchange that it holds:

    capital = FakeCapital(exchange, clock)
    await capital.listen()                    # then capital.url, capital.stream_url; capital.user has the credentials
    capital.quote(Quote("GOLD", 2399.5, 2400.0))
    capital.faults.lose_answer("POST", "/positions")
    …
    await capital.stop()

All time is the clock's: expiries, limits, confirms that come late, bars. What a test does to the exchange directly is
seen by every later answer, as what another device of the same account did.

What is decided here because no document says it (verify on a demo account): a PUT replaces all protection (switch:
`faults.put_keeps_omitted`); a POST while the market is closed is confirmed as rejected with CLOSED_MARKET; one that
comes within 0.1 s of another gets 429 (switch: `faults.throttles_at_confirm`); a 41st epic refuses its whole frame; an
unknown epic of a subscription is answered beside those that are PROCESSED; a ping on the stream does not extend the
REST session; after a switch of accounts the other sessions of the user see the new account too.
"""

from tests.fakes.capital.server import FakeCapital

__all__ = ["FakeCapital"]
