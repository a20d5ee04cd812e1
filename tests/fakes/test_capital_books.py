"""Whatever is asked of the fake Capital.com, in any order, its rows, its money and the exchange's book are one."""

import json
from decimal import Decimal
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from joed.daemon.clock import SimulatedClock
from joed.model import book
from joed.model.values import SECOND, ZERO, Kind, Leg
from joed.sim.loop import START_NS
from tests.fakes.capital import FakeCapital
from tests.fakes.capital_rig import exchange_of, gold

SIDES = st.sampled_from(["BUY", "SELL"])
SIZES = st.integers(1, 5)
NEAR, FAR = st.integers(1, 12), st.integers(10, 60)
ACTS = st.one_of(
    st.tuples(st.just("open"), SIDES, SIZES, FAR, st.none() | FAR),
    st.tuples(st.just("work"), SIDES, st.sampled_from(["LIMIT", "STOP"]), SIZES, NEAR, FAR),
    st.tuples(st.just("price"), st.integers(-25, 25)),
    st.tuples(st.just("close"), st.integers(0, 9)),
    st.tuples(st.just("amend"), st.integers(0, 9), st.none() | FAR, st.none() | FAR),
    st.tuples(st.just("reword"), st.integers(0, 9), NEAR, st.none() | FAR),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
)


class Account:
    """The service without a port: requests go straight to what answers them."""

    def __init__(self):
        self.fake = FakeCapital(exchange_of(), SimulatedClock(START_NS))
        self.fake.door.limits.on = False
        self.bid = 2_399.5
        gold(self.fake)
        user = self.fake.user
        self.headers = {"X-CAP-API-KEY": user.api_key}
        _, _, tokens = self.ask("POST", "/session", {"identifier": user.identifier, "password": user.password})
        self.headers |= tokens

    def ask(self, method, path, body=None):
        """Ask, and give status, body and headers."""
        request = SimpleNamespace(method=method, query={}, headers=self.headers)
        status, answer, headers = self.fake.answer(request, path, json.dumps(body).encode() if body else b"")
        return status, json.loads(answer, parse_float=Decimal), headers

    def rows(self, path, name, part):
        """Give the account's rows."""
        return [row[part] for row in self.ask("GET", path)[1][name]]

    def positions(self):
        """Give the positions."""
        return self.rows("/positions", "positions", "position")

    def working(self):
        """Give the working orders."""
        return self.rows("/workingorders", "workingOrders", "workingOrderData")

    def around(self, side, steps):
        """Give a level so many half dollars beyond the market on a side."""
        return round(self.bid + (1 if side == "BUY" else 0) + (1 if side == "BUY" else -1) * steps / 2, 2)

    def act(self, what, *words):
        """Do one thing; a refusal is an answer too."""
        self.fake.clock.call_at(self.fake.clock.now() + SECOND, lambda: None)
        self.fake.clock.advance()
        answer = getattr(self, what)(*words)
        if answer is not None and answer[0] == 200:
            confirm = self.ask("GET", f"/confirms/{answer[1]['dealReference']}")[1]
            assert confirm["dealStatus"] in ("ACCEPTED", "REJECTED")
            assert bool(confirm["affectedDeals"]) is (confirm["dealStatus"] == "ACCEPTED")

    def open(self, side, size, stop, profit):
        """Open at the market."""
        sign = 1 if side == "BUY" else -1
        body = {
            "epic": "GOLD",
            "direction": side,
            "size": size,
            "stopLevel": round(self.bid - sign * (1 + stop / 2), 2),
        }
        if profit:
            body["profitLevel"] = round(self.bid + sign * (1 + profit / 2), 2)
        return self.ask("POST", "/positions", body)

    def work(self, side, kind, size, steps, stop):
        """Leave a working order."""
        beyond = side if kind == "STOP" else {"BUY": "SELL", "SELL": "BUY"}[side]
        body = {"epic": "GOLD", "direction": side, "size": size, "type": kind, "level": self.around(beyond, steps)}
        return self.ask("POST", "/workingorders", body | {"stopDistance": 1 + stop})

    def price(self, steps):
        """Move the price."""
        self.bid = round(self.bid + steps / 2, 2)
        gold(self.fake, self.bid, round(self.bid + 0.5, 2))

    def one_of(self, rows, number):
        """Give the path's end of one row."""
        return rows[number % len(rows)] if rows else {"dealId": "none", "direction": "BUY", "orderLevel": 1}

    def close(self, number):
        """Close a position."""
        return self.ask("DELETE", f"/positions/{self.one_of(self.positions(), number)['dealId']}")

    def amend(self, number, stop, profit):
        """Give a position other protection, or none."""
        row = self.one_of(self.positions(), number)
        sign = 1 if row["direction"] == "BUY" else -1
        body = {"stopLevel": None, "profitLevel": None}
        if stop:
            body["stopLevel"] = round(self.bid - sign * (1 + stop / 2), 2)
        if profit:
            body["profitLevel"] = round(self.bid + sign * (1 + profit / 2), 2)
        return self.ask("PUT", f"/positions/{row['dealId']}", body)

    def reword(self, number, steps, stop):
        """Give a working order other terms."""
        row = self.one_of(self.working(), number)
        beyond = (
            {"BUY": "SELL", "SELL": "BUY"}[row["direction"]] if row.get("orderType") == "LIMIT" else row["direction"]
        )
        kept = float(abs(row.get("stopDistance", 5)))
        body = {"level": self.around(beyond, steps), "stopDistance": 1 + stop if stop else kept}
        return self.ask("PUT", f"/workingorders/{row['dealId']}", body)

    def cancel(self, number):
        """Cancel a working order."""
        return self.ask("DELETE", f"/workingorders/{self.one_of(self.working(), number)['dealId']}")

    def check(self):
        """Hold the rows, the money and the exchange's book to one another."""
        exchange, positions = self.fake.exchange, self.positions()
        signed = sum((row["size"] * (1 if row["direction"] == "BUY" else -1) for row in positions), ZERO)
        assert signed == exchange.position("XAUUSD")
        assert len({row["direction"] for row in positions}) <= 1
        trades = sum((row.amount for row in self.fake.desk.transactions), ZERO)
        assert self.fake.funds.deposit() == exchange.settings.cash + trades
        state = exchange.to_state()
        assert [*book.repeated(state), *book.turned(state), *book.unbalanced(state)] == []
        live = [order for order in exchange.orders.values() if not order.status.ended]
        stops = sorted(
            (order.level, order.left) for order in live if order.kind is Kind.STOP and order.left and not order.opens
        )
        assert stops == sorted((row["stopLevel"], row["size"]) for row in positions if "stopLevel" in row)
        entries = sorted((order.level, order.left) for order in live if order.leg is Leg.ENTRY)
        assert entries == sorted((row["orderLevel"], row["orderSize"]) for row in self.working())


@settings(max_examples=250)
@given(st.lists(ACTS, min_size=5, max_size=30))
def test_rows_money_and_the_exchanges_book_are_one(acts):
    """On a netting account, after each request and each price."""
    account = Account()
    for act in acts:
        account.act(*act)
        account.check()
