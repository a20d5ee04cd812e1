"""Execution: what became of orders, how fast, how dear, and what is in doubt."""

from panels import Panel

PENDING = "joed_orders_oldest_pending_timestamp_seconds{AT}"
ORDERS = 'sum(increase(joed_orders_total{{AT,state="{}"}}[1h]))'


def quantiles(name: str) -> tuple[tuple[str, str], ...]:
    """Give the median and the 99th percentile of a histogram of rare events: of a quarter of an hour."""
    shape = "histogram_quantile({}, sum by (le) (increase({}_bucket{{AT}}[15m])))"
    return ((shape.format("0.5", name), "p50"), (shape.format("0.99", name), "p99"))


PANELS = (
    Panel(
        "Outcome unknown",
        "number",
        "none",
        (("joed_order_outcome_unknown{AT}", "{{broker}}"),),
        "Orders whose fate nobody knows: their risk stays reserved until evidence or a person settles it.",
        6,
        ((1.0, "red"),),
    ),
    Panel(
        "Waits for an answer",
        "number",
        "s",
        (
            (
                f"({PENDING} > bool 0) * (time() - {PENDING})",
                "{{broker}}",
            ),
        ),
        "How long the oldest order has waited for its broker's word; 0 where none waits.",
        6,
        ((60.0, "red"),),
    ),
    Panel(
        "Share of refused orders",
        "number",
        "percentunit",
        (
            (
                f"{ORDERS.format('rejected')} / clamp_min({ORDERS.format('armed')}, 1)",
                "refused",
            ),
        ),
        "Of the orders of an hour, how many a broker refused; a bracket counts as three.",
        6,
        ((0.2, "red"),),
    ),
    Panel(
        "Repeats refused",
        "number",
        "none",
        (
            (
                'sum(joed_risk_rejections_total{AT,rule=~"duplicate|signal_spent"})',
                "refused",
            ),
        ),
        "Entries that would have been a second one of the same signal, today.",
        6,
        ((1.0, "orange"),),
    ),
    Panel(
        "Orders by what they came to",
        "bars",
        "none",
        (
            (
                "sum by (state) (increase(joed_orders_total{AT}[$__rate_interval]))",
                "{{state}}",
            ),
        ),
        "Each order once in each state that it reached.",
        12,
    ),
    Panel(
        "Orders since the start",
        "bars now",
        "none",
        (("sum by (state) (joed_orders_total{AT})", "{{state}}"),),
        "How many orders came to each state since this process began.",
        6,
    ),
    Panel(
        "Open orders",
        "lines",
        "none",
        (("sum by (state) (joed_orders_open{AT})", "{{state}}"),),
        "Orders that may be alive at a broker, by state.",
        6,
    ),
    Panel(
        "Time to the broker's word",
        "lines",
        "s",
        quantiles("joed_order_ack_seconds"),
        "From an order's durable record to its broker's first word on it.",
        8,
        ((1.0, "red"),),
    ),
    Panel(
        "Time to fill",
        "lines",
        "s",
        quantiles("joed_order_fill_seconds"),
        "From the record of an entry or a close until nothing of it is left to do.",
        8,
    ),
    Panel(
        "Time to cancel",
        "lines",
        "s",
        quantiles("joed_order_cancel_seconds"),
        "From asking to cancel to the order's end. Empty while nothing was cancelled.",
        8,
    ),
    Panel(
        "Slippage, worse than meant",
        "heat",
        "none",
        (
            (
                "sum by (le) (increase(joed_slippage_adverse_bps_bucket{AT}[$__rate_interval]))",
                "{{le}}",
            ),
        ),
        "Executions of entries and stops, in hundredths of a percent beyond the price decided on or the stop's level.",
        12,
    ),
    Panel(
        "Slippage, better than meant",
        "heat",
        "none",
        (
            (
                "sum by (le) (increase(joed_slippage_favourable_bps_bucket{AT}[$__rate_interval]))",
                "{{le}}",
            ),
        ),
        "The same, where the price was better.",
        12,
    ),
    Panel(
        "Executions",
        "bars",
        "none",
        (
            (
                "sum by (broker, side) (increase(joed_fills_total{AT}[$__rate_interval]))",
                "{{broker}} {{side}}",
            ),
        ),
        "Each execution once, however often it was told.",
        8,
    ),
    Panel(
        "Commands at release",
        "bars",
        "none",
        (
            ("increase(joed_commands_sent_total{AT}[$__rate_interval])", "sent"),
            ("increase(joed_commands_dropped_total{AT}[$__rate_interval])", "dropped"),
        ),
        "Order commands that left, and those that a last look before the bytes held back.",
        8,
    ),
    Panel(
        "From decision to hand-over, p99",
        "lines",
        "s",
        (
            (
                "histogram_quantile(0.99, sum by (le) (increase(joed_decision_to_send_seconds_bucket{AT}[15m])))",
                "p99",
            ),
        ),
        "From the decision to the broker's adapter, the durable record between them.",
        8,
        ((0.1, "red"),),
    ),
)
