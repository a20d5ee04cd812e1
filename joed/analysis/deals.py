"""What the session's entries came to, by strategy and by regime, and how hard the account worked; plain floats.

The daemon gives these rows, the worker adds them up.
"""

from collections.abc import Iterable, Sequence

from joed.model.orders import Deal


def figures(deals: Sequence[Deal], equity: float, gross: float, net: float) -> dict[str, float | None]:
    """Give exposure, turnover and slippage of the account, then the same questions by strategy and by regime.

    Shares are of `equity`; where it is not above zero they are unknown.
    """
    sound = equity > 0.0
    found: dict[str, float | None] = {
        "exposure_gross": gross / equity if sound else None,
        "exposure_net": net / equity if sound else None,
        "turnover_today": sum(deal.traded for deal in deals) / equity if sound else None,
        "slippage_mean_today": mean(deal.slippage for deal in deals),
    }
    for by in ("strategy", "regime"):
        for name in sorted({getattr(deal, by) for deal in deals}):
            own = [deal for deal in deals if getattr(deal, by) == name]
            found |= {f"{by}.{name or 'none'}.{figure}": value for figure, value in of_group(own).items()}
    return found


def of_group(deals: Sequence[Deal]) -> dict[str, float | None]:
    """Give how many were closed, what all gained, how many won, what one brought, and how much worse than decided."""
    closed = [deal for deal in deals if deal.closed]
    return {
        "trades": float(len(closed)),
        "gained": sum(deal.gained for deal in deals),
        "hit_rate": mean(float(deal.gained > 0.0) for deal in closed),
        "expectancy": mean(deal.gained for deal in closed),
        "slippage_mean": mean(deal.slippage for deal in deals),
    }


def mean(values: Iterable[float | None]) -> float | None:
    """Give the mean of what is known, None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
