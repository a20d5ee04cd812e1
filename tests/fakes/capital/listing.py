"""An instrument as Capital.com shows it: its epic, dealing rules, opening hours and state."""

import datetime as dt
from decimal import Decimal

from joed.model.values import SECOND, decimal
from tests.fakes.capital.words import EPOCH, Refused, both, written

ZERO = Decimal(0)
TYPES = {
    "stock": "SHARES",
    "currency": "CURRENCIES",
    "crypto": "CRYPTOCURRENCIES",
    "index": "INDICES",
    "commodity": "COMMODITIES",
}
LEVERAGES = {"SHARES": 5, "CURRENCIES": 30, "INDICES": 20, "CRYPTOCURRENCIES": 2, "COMMODITIES": 20}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALWAYS = {day: ["00:00 - 00:00"] for day in DAYS} | {"zone": "UTC"}
WEEK = {day: ["00:00 - 21:00", "22:00 - 00:00"] for day in DAYS[:4]} | {
    "fri": ["00:00 - 21:00"],
    "sat": [],
    "sun": ["22:00 - 00:00"],
    "zone": "UTC",
}
DAY_MINUTES = 1_440


class Listing:
    """One instrument. Its attributes are what a test changes: `status`, `modes`, `hours`, the rules, the fees.

    `status` "" lets the hours decide; a distance rule is (unit, value), PERCENTAGE being of the price.
    """

    def __init__(self, instrument, epic="", hours=None):
        self.name = instrument.symbol
        self.epic = epic or instrument.epic or instrument.symbol
        self.type = TYPES.get(instrument.kind, "SHARES")
        self.currency = instrument.currency
        self.tick, self.lot = instrument.tick, instrument.lot
        self.hours = hours or ALWAYS
        self.status = ""
        self.modes = ["REGULAR"]
        self.min_size, self.max_size = instrument.lot, instrument.lot * 1_000_000
        self.min_stop, self.max_stop = ("PERCENTAGE", Decimal("0.01")), ("PERCENTAGE", Decimal(80))
        self.min_guaranteed = ("PERCENTAGE", Decimal(1))
        self.long_rate, self.short_rate = Decimal("-0.0234"), Decimal("0.0012")
        self.quote = None
        self.null_bid = False
        """Its bid is null wherever it is shown."""
        self.first = self.high = self.low = None
        self.updated_ns = 0

    def take(self, now, quote):
        """Keep a quote; True where it is other than the last."""
        old, self.quote = self.quote, quote
        self.updated_ns = now
        self.first = self.first or quote.bid
        self.high = max(self.high or quote.bid, quote.bid)
        self.low = min(self.low or quote.bid, quote.bid)
        return old is None or (old.bid, old.ask) != (quote.bid, quote.ask)

    def refresh(self, now, quote):
        """Take over a price that reached the exchange by another way."""
        if self.quote is None or (self.quote.bid, self.quote.ask) != (quote.bid, quote.ask):
            self.take(now, quote)

    def state(self, now):
        """Give marketStatus."""
        return self.status or ("TRADEABLE" if self.is_open(now) else "CLOSED")

    def is_open(self, now):
        """Say whether its hours let it trade now; a segment that is malformed counts for nothing."""
        moment = EPOCH + dt.timedelta(seconds=now // SECOND)
        minute = moment.hour * 60 + moment.minute
        for segment in self.hours[DAYS[moment.weekday()]]:
            begin, _, end = segment.partition(" - ")
            if not end:
                continue
            last = minutes(end) or DAY_MINUTES
            if minutes(begin) <= minute < last:
                return True
        return False

    def distance(self, rule):
        """Give a rule's distance in units of price, at the current one."""
        unit, value = rule
        price = decimal(self.quote.bid) if self.quote else ZERO
        return value * price / 100 if unit == "PERCENTAGE" else value

    def check_size(self, size):
        """Refuse a size that the rules do not allow."""
        if size < self.min_size:
            raise Refused(400, f"error.invalid.size.minvalue: {self.min_size}")
        if size > self.max_size:
            raise Refused(400, f"error.invalid.size.maxvalue: {self.max_size}")
        if size % self.lot:
            raise Refused(400, "error.invalid.size")

    def check_level(self, level, word):
        """Refuse a price that is none."""
        if level <= 0 or level % self.tick:
            raise Refused(400, f"error.validation.{word}.price")

    def flat(self, now, offset_h):
        """Give the market part of a row, and a row of a search."""
        quote = self.quote
        change = decimal(quote.bid) - decimal(self.first) if quote else ZERO
        return {
            "instrumentName": self.name,
            "instrumentId": 1_000 + len(self.epic),
            "epic": self.epic,
            "symbol": self.name,
            "expiry": "-",
            "marketStatus": self.state(now),
            "instrumentType": self.type,
            "lotSize": 1,
            "high": self.high,
            "low": self.low,
            "netChange": change,
            "percentageChange": round(change / decimal(self.first) * 100, 2) if quote else ZERO,
            "bid": quote.bid if quote and not self.null_bid else None,
            "offer": quote.ask if quote else None,
            **both("updateTime", self.updated_ns, offset_h),
            "delayTime": 0,
            "streamingPricesAvailable": True,
            "scalingFactor": 1,
            "marketModes": list(self.modes),
        }

    def details(self, now, offset_h):
        """Give an instrument with its rules and its snapshot."""
        flat = self.flat(now, offset_h)
        shown = ("marketStatus", "netChange", "percentageChange", "delayTime", "bid", "offer", "high", "low")
        return {
            "instrument": self.instrument(now),
            "dealingRules": self.rules(),
            "snapshot": {name: flat[name] for name in shown}
            | {
                "updateTime": written(self.updated_ns, offset_h=offset_h),  # local, and it has no twin
                "decimalPlacesFactor": max(0, -self.tick.as_tuple().exponent),
                "scalingFactor": 1,
                "marketModes": list(self.modes),
            },
        }

    def instrument(self, now):
        """Give what it is."""
        day_ns = 86_400 * SECOND
        swap_ns = now // day_ns * day_ns + 21 * 3_600 * SECOND
        return {
            "epic": self.epic,
            "symbol": self.name,
            "expiry": "-",
            "name": self.name,
            "lotSize": 1,
            "type": self.type,
            "guaranteedStopAllowed": True,
            "streamingPricesAvailable": True,
            "currency": self.currency,
            "marginFactor": 100,
            "marginFactorUnit": "PERCENTAGE",
            "openingHours": self.hours,
            "overnightFee": {
                "longRate": self.long_rate,
                "shortRate": self.short_rate,
                "swapChargeTimestamp": (swap_ns if swap_ns > now else swap_ns + day_ns) // 1_000_000,
                "swapChargeInterval": 1_440,
            },
        }

    def rules(self):
        """Give the dealing rules; POINTS are units of price or of size."""
        return {
            "minStepDistance": rule_of("POINTS", self.tick),
            "minDealSize": rule_of("POINTS", self.min_size),
            "maxDealSize": rule_of("POINTS", self.max_size),
            "minSizeIncrement": rule_of("POINTS", self.lot),
            "minGuaranteedStopDistance": rule_of(*self.min_guaranteed),
            "minStopOrProfitDistance": rule_of(*self.min_stop),
            "maxStopOrProfitDistance": rule_of(*self.max_stop),
            "marketOrderPreference": "AVAILABLE_DEFAULT_ON",
            "trailingStopsPreference": "NOT_AVAILABLE",  # said of all, whatever is true
        }


def rule_of(unit, value):
    """Give one dealing rule."""
    return {"unit": unit, "value": value}


def minutes(text):
    """Read HH:MM as minutes of the day."""
    hours, _, rest = text.strip().partition(":")
    return int(hours) * 60 + int(rest)
