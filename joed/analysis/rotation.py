"""Days of many names traded by rank, in numpy: buy the best at the next open, hold, stop, rank again; costs are paid.

A matrix has a row a day and a column a name, NaN where a name did not trade. What is decided at one day's close trades
at the next day's open, never before; what has no open then waits, as a halt makes one wait.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from joed.analysis.indicators import Floats


class Matrix(Struct, frozen=True):
    """Prices by day and name: opens, lows and closes, each of shape (days, names)."""

    opens: Floats
    lows: Floats
    closes: Floats


class Way(Struct, frozen=True):
    """How it is traded: how many names, ranked anew each so many days, stopped so many ranges below."""

    names: int
    days: int
    stop_atr: float


class Costs(Struct, frozen=True):
    """What each purchase and sale costs: a share of its value, and of each unit an amount, at least `fee_min`."""

    slippage: float
    fee_unit: float
    fee_min: float


class Pick(Struct, frozen=True):
    """A name that was chosen at a close: its column, and its average range in price."""

    column: int
    reach: float


class Held(Struct):
    """A position: its units, what each cost, its stop, its last known price; `leaves`: it is to be sold."""

    units: float
    paid: float
    stop: float
    price: float
    leaves: bool = False


class Run(Struct, frozen=True):
    """What came of it: equity at each close from the first day on, trades, wins, costs, and value bought in all."""

    equity: Floats
    trades: int
    wins: int
    costs: float
    bought: float
    halted: int
    stopped: int


class Book:
    """The account on its way through the days."""

    def __init__(self, matrix: Matrix, way: Way, costs: Costs, cash: float) -> None:
        """Begin with cash alone."""
        self.matrix, self.way, self.costs, self.cash = matrix, way, costs, cash
        self.held: dict[int, Held] = {}
        self.trades = self.wins = self.halted = self.stopped = 0
        self.paid = self.bought = 0.0

    def fee(self, units: float) -> float:
        """Give the fee of an order."""
        return max(self.costs.fee_min, units * self.costs.fee_unit)

    def worth(self) -> float:
        """Give cash and positions at their last known prices."""
        return self.cash + sum(row.units * row.price for row in self.held.values())

    def sell(self, column: int, price: float) -> None:
        """Sell all of a name at a price, a little less for slippage."""
        row = self.held.pop(column)
        got, fee = price * (1.0 - self.costs.slippage), self.fee(row.units)
        self.cash += row.units * got - fee
        self.paid += fee + row.units * price * self.costs.slippage
        self.trades += 1
        self.wins += row.units * (got - row.paid) > 2.0 * fee

    def buy(self, pick: Pick, price: float, value: float) -> None:
        """Buy whole units for so much at a price, a little more for slippage."""
        paid = price * (1.0 + self.costs.slippage)
        units = float(int(min(value, self.cash - self.costs.fee_min) / paid))
        if units < 1.0:
            return
        fee = self.fee(units)
        self.cash -= units * paid + fee
        self.paid += fee + units * price * self.costs.slippage
        self.bought += units * price
        self.held[pick.column] = Held(units, paid, price - self.way.stop_atr * pick.reach, price)

    def open(self, day: int, picks: Sequence[Pick] | None) -> None:
        """Trade at a day's open what the close before decided; None leaves things as they are."""
        opens = self.matrix.opens[day]
        if picks is not None:
            wanted = {pick.column for pick in picks}
            for column, row in self.held.items():
                row.leaves = column not in wanted
        for column in [column for column, row in self.held.items() if row.leaves]:
            if opens[column] > 0.0:
                self.sell(column, float(opens[column]))
            else:
                self.halted += 1
        value = self.worth() / self.way.names
        for pick in picks or ():
            if len(self.held) < self.way.names and pick.column not in self.held and opens[pick.column] > 0.0:
                self.buy(pick, float(opens[pick.column]), value)

    def close(self, day: int) -> None:
        """Meet the stops of a day, a gap below one at the open, and value what is left at its close."""
        opens, lows, closes = self.matrix.opens[day], self.matrix.lows[day], self.matrix.closes[day]
        for column, row in list(self.held.items()):
            if lows[column] <= row.stop:
                self.stopped += 1
                self.sell(column, float(min(opens[column], row.stop)))
            elif closes[column] > 0.0:
                row.price = float(closes[column])


def traded(
    matrix: Matrix, picks: Mapping[int, Sequence[Pick]], way: Way, costs: Costs, cash: float, first: int = 0
) -> Run:
    """Trade from the first day on; `picks` are those of the closes at which names were ranked, best first."""
    book, equity, ranked = Book(matrix, way, costs, cash), [], 0
    for day in range(first, len(matrix.closes)):
        chosen = picks.get(day - 1)
        due = chosen is not None and (not chosen or not book.held or day - ranked >= way.days)
        if due:
            ranked = day
        book.open(day, chosen[: way.names] if chosen is not None and due else None)
        book.close(day)
        equity.append(book.worth())
    return Run(np.array(equity), book.trades, book.wins, book.paid, book.bought, book.halted, book.stopped)


def held_equally(matrix: Matrix, first: int) -> Floats:
    """Give the mean return of each day from the first on, of all names that have both closes: buy and hold of all."""
    before, after = matrix.closes[first - 1 : -1], matrix.closes[first:]
    with np.errstate(invalid="ignore"):
        moves = after / before - 1.0
    known = np.isfinite(moves)
    counts = np.maximum(known.sum(axis=1), 1)
    means: Floats = np.where(known, moves, 0.0).sum(axis=1) / counts
    return means
