"""The day in words, from a fixed template: the same figures always read the same, and no figure is invented."""

from msgspec import Struct


class DayFigures(Struct, frozen=True):
    """What the day came to, money in `currency`; None is unknown and said so."""

    session: str
    currency: str
    mode: str
    equity_start: float | None
    equity: float | None
    realised: float
    unrealised: float | None
    fees: float
    trades: int
    wins: int
    losses: int
    orders: int
    fills: int
    refusals: dict[str, int]
    positions: dict[str, str]
    regime: str
    regime_parts: tuple[str, ...]
    blocks: tuple[str, ...]
    figures: dict[str, float | None]


def write(day: DayFigures) -> str:
    """Give the day's summary, a few lines that end without a newline."""
    return "\n".join(line(day) for line in LINES)


def heading(day: DayFigures) -> str:
    """Say which day, and whose money."""
    return f"Session {day.session} ({day.mode}): {result(day)}."


def result(day: DayFigures) -> str:
    """Say what the account gained or lost."""
    if day.equity is None or not day.equity_start:
        return "the result is unknown, equity is missing"
    change = day.equity - day.equity_start
    word = "up" if change > 0 else "down" if change < 0 else "unchanged,"
    return f"{word} {money(abs(change), day)} ({change / day.equity_start:+.2%}), equity {money(day.equity, day)}"


def money_line(day: DayFigures) -> str:
    """Say where the result came from."""
    unrealised = "unknown" if day.unrealised is None else money(day.unrealised, day)
    return f"Realised {money(day.realised, day)}, unrealised {unrealised}, fees {money(day.fees, day)}."


def trades_line(day: DayFigures) -> str:
    """Say how much was traded, and how it ended."""
    return f"{day.trades} trades, {day.wins} won, {day.losses} lost; {day.orders} orders, {day.fills} fills."


def regime_line(day: DayFigures) -> str:
    """Say what kind of market it was."""
    return f"Regime: {day.regime or 'not judged'}. " + "; ".join(day.regime_parts or ("no votes",)) + "."


def refusals_line(day: DayFigures) -> str:
    """Say which entries were refused."""
    counts = sorted(day.refusals.items(), key=lambda item: (-item[1], item[0]))
    return "Refused: " + (", ".join(f"{reason} {count}" for reason, count in counts) or "nothing") + "."


def positions_line(day: DayFigures) -> str:
    """Say what is still held."""
    held = ", ".join(f"{name} {quantity}" for name, quantity in sorted(day.positions.items()))
    return f"Held: {held or 'nothing'}."


def blocks_line(day: DayFigures) -> str:
    """Say what still forbids entries."""
    return "Blocks: " + ("; ".join(day.blocks) or "none") + "."


def figures_line(day: DayFigures) -> str:
    """Say the figures of the whole account that are known, and count those that are not."""
    whole = {name: value for name, value in day.figures.items() if "." not in name}
    known = [f"{name} {value:.4g}" for name, value in sorted(whole.items()) if value is not None]
    missing = len(whole) - len(known)
    return "Figures: " + (", ".join(known) or "none") + (f"; {missing} unknown" if missing else "") + "."


def deals_line(day: DayFigures) -> str:
    """Say what each strategy, and each regime, came to."""
    names = dict.fromkeys(name.rpartition(".")[0] for name in sorted(day.figures) if "." in name)
    return "By strategy and regime: " + ("; ".join(deal(day, name) for name in names) or "no entry was filled") + "."


def deal(day: DayFigures, name: str) -> str:
    """Say what the entries of one strategy or regime came to, and how much worse than decided they were filled."""
    trades, gained, slipped = (day.figures.get(f"{name}.{figure}") for figure in ("trades", "gained", "slippage_mean"))
    words = f"{name.partition('.')[2]} {trades or 0:.0f} trades, {gained or 0:+,.2f} {day.currency}"
    return words if slipped is None else f"{words}, slippage {slipped:+.3%}"


def money(amount: float, day: DayFigures) -> str:
    """Write an amount with its currency, to the cent."""
    return f"{amount:,.2f} {day.currency}"


LINES = (
    *(heading, money_line, trades_line, regime_line),
    *(deals_line, refusals_line, positions_line, blocks_line, figures_line),
)
