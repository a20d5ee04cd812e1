"""The account that trades: its money as the exchange's own book has it, its margin, its time zone."""

from decimal import Decimal

from tests.fakes.capital.listing import LEVERAGES
from tests.fakes.capital.words import Refused

ZERO, ONE = Decimal(0), Decimal(1)
CENT = Decimal("0.01")
AVAILABLE = (1, 2, 5, 10, 20, 30, 50, 100, 200)
TOP_UP_MAX, DEMO_MAX = 400_000, 100_000


class Funds:
    """Money of one account. `rates` gives a currency in the account's; `offset_h` is its time zone from UTC."""

    def __init__(self, exchange, account):
        self.exchange, self.account = exchange, account
        self.offset_h = 2
        self.rates = {}
        self.deals = {}

    def rate(self, currency):
        """Give what one of a currency is in the account's."""
        return ONE if currency in (self.account.currency, "") else self.rates.get(currency, ONE)

    def to_base(self, amount, currency):
        """Give money in the account's currency, to the cent."""
        return (amount * self.rate(currency)).quantize(CENT)

    def leverage(self, listing):
        """Give the leverage that the account has for a kind of instrument."""
        return self.account.leverages.get(listing.type, LEVERAGES[listing.type])

    def open_deals(self):
        """Give the positions that are open."""
        return [deal for deal in self.deals.values() if deal.size]

    def deposit(self):
        """Give what the account would hold had no position been opened: the book's money and what positions cost."""
        book = self.exchange.book
        money = book.cash + sum((amount * self.rate(name) for name, amount in book.balances.items()), ZERO)
        for deal in self.open_deals():
            money += deal.side.sign * deal.size * deal.level * self.rate(deal.listing.currency)
        return money + self.account.adjusted

    def profit(self):
        """Give the open profit of all positions."""
        return sum((deal.upl() * self.rate(deal.listing.currency) for deal in self.open_deals()), ZERO)

    def margin(self):
        """Give what the open positions bind."""
        return sum((self.needs(deal.listing, deal.size, deal.level) for deal in self.open_deals()), ZERO)

    def needs(self, listing, size, price):
        """Give the margin of a position."""
        return size * price * self.rate(listing.currency) / self.leverage(listing)

    def balance(self):
        """Give the account's four figures."""
        deposit, profit = self.deposit(), self.profit()
        equity = deposit + profit
        figures = {
            "balance": equity,
            "deposit": deposit,
            "profitLoss": profit,
            "available": max(ZERO, equity - self.margin()),
        }
        return {name: figure.quantize(CENT) for name, figure in figures.items()}

    def preferences(self):
        """Give hedging mode and leverages."""
        leverages = {
            name: {"current": self.account.leverages.get(name, usual), "available": list(AVAILABLE)}
            for name, usual in LEVERAGES.items()
        }
        return {"hedgingMode": self.account.hedging, "leverages": leverages}

    def prefer(self, body):
        """Change what a body names, and nothing else."""
        asked = body.get("leverages") or {}
        for name, value in asked.items():
            if name not in LEVERAGES or value not in AVAILABLE:
                raise Refused(400, "error.invalid.leverage.value")
        self.account.leverages.update(asked)
        if body.get("hedgingMode") is not None:
            self.account.hedging = bool(body["hedgingMode"])

    def top_up(self, amount):
        """Add to a demo account's money, or take from it."""
        if not -TOP_UP_MAX <= amount <= TOP_UP_MAX or self.deposit() + amount > DEMO_MAX:
            raise Refused(400, "error.invalid.topup.amount")
        self.account.adjusted += amount
