"""An order's life in the log: each durable word about it once, with what identifies it."""

from joed.daemon.order_lines import order_lines
from joed.daemon.reads import Record
from joed.model.events import OrderFilled, Tick
from joed.model.values import Side
from tests.engine.build import START, D, bracket


class Kept:
    """A log that keeps its lines."""

    def __init__(self):
        self.lines = []

    def put(self, level, event, fields):
        """Keep it."""
        self.lines.append((event, fields))


def test_what_is_about_an_order_is_told_and_nothing_else():
    """The command that submits it, the fill; a Tick is about none."""
    log = Kept()
    tell = order_lines(log)
    order = bracket("KO")
    fill = OrderFilled(order.order, "e1", "KO", Side.BUY, D("10"), D("99.5"))

    tell(Record(7, START, Tick(), [order]))
    tell(Record(8, START, fill))
    tell(Record(9, START, Tick()))

    assert [(event, fields["order"], fields["seq"]) for event, fields in log.lines] == [
        ("SubmitOrder", order.order, 7),
        ("OrderFilled", order.order, 8),
    ]
    assert log.lines[0][1]["instrument"] == "KO"
    assert (log.lines[1][1]["price"], log.lines[1][1]["execution"]) == (D("99.5"), "e1")
