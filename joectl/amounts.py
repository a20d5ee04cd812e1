"""Amounts, prices and times as a person reads them: the digits are the daemon's, only rounded."""

from typing import Any

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
SECOND = 1_000_000_000
NOISE = 10
"""The digits of an amount that mean something."""


def money(text: str, *, sign: bool = False) -> str:
    """Write an amount to the cent with thousands: the digits are the daemon's, only rounded.

    The noise of a division by a quantity goes first: 460.8349999999999999999999979 is 460.835, as equity has it.
    """
    from decimal import Decimal

    return format(round(Decimal(text), NOISE), "+,.2f" if sign else ",.2f")


def made_of(body: dict[str, Any]) -> str:
    """Write what makes the result of a day, so that it adds up: what was open at its start is not the day's."""
    from decimal import Decimal

    names = ("realised", "unrealised", "fees", "daily_pnl")
    realised, unrealised, fees, day = (round(Decimal(body[name]), NOISE) for name in names)
    before = round(realised + unrealised - fees - day, 2)
    told = f", {before:+,.2f} of it before this session" if before else ""
    return f"realised {realised:+,.2f}, open {unrealised:+,.2f}{told}, fees {fees:,.2f}"


def price(value: str | float | None) -> str:
    """Write a price as it came, "-" for none; floats to at most six significant decimals."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.6f}".rstrip("0").rstrip(".")


def span(seconds: float) -> str:
    """Write a length of time in its two largest units."""
    whole = max(0, int(seconds))
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min"
    if whole < DAY_S:
        return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"
    return f"{whole // DAY_S} d {whole % DAY_S // HOUR_S} h"


def when(at_ns: int, now_ns: int) -> str:
    """Write an instant by its distance: "in 12 s", "3 min ago", "never"."""
    if not at_ns:
        return "never"
    away = (at_ns - now_ns) / SECOND
    return f"in {span(away)}" if away >= 0 else f"{span(-away)} ago"
