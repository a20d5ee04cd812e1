"""What the next orders and cancels meet, armed beforehand and spent one by one."""

from collections import deque

KNOWN = ("reject", "vanish", "note", "cancel", "twin", "forget")
WORDS = {
    104: "Cannot modify a filled order",
    105: "Order being modified does not match original order",
    136: "This order cannot be cancelled.",
    161: "Cancel attempted when order is not in a cancellable state.  Order permId =0",
    201: "Order rejected - reason:YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR EQUITY MUST",
    203: "The security is not available or allowed for this account",
    399: "Order Message:\nWarning: your order will not be placed at the exchange until 2026-11-27 09:30:00 US/Eastern",
    404: "Order held while securities are located.",
    460: "No trading permissions.",
    2109: "Order Event Warning: Attribute 'Outside Regular Trading Hours' is ignored based on the order type",
    10147: "OrderId {id} that needs to be cancelled is not found.",
    10148: "OrderId {id} that needs to be cancelled cannot be cancelled, state: {status}.",
    10289: "You must specify a cash quantity for this order",
    10311: "This order will be directly routed to NYSE. Direct routed orders may result in higher trade fees.",
    10349: "Order TIF was set to DAY based on order preset.",
}
"""What TWS says with a number."""
ADVANCED = '{"rejects":[{"code":"201","text":"margin"}]}'


class Tricks:
    """Queues of what was armed, by name; a value is the number that TWS answers with, or just that it happens."""

    def __init__(self):
        self.queues = {name: deque(maxlen=1000) for name in KNOWN}

    def arm(self, name, value=1, count=1):
        """Let something happen at the next chances."""
        self.queues[name].extend([value] * count)

    def take(self, name):
        """Give what was armed for this chance, and spend it; 0 where nothing was."""
        queue = self.queues[name]
        return queue.popleft() if queue else 0


def words_of(code, ticket):
    """Give what TWS says with a number about an order."""
    return WORDS.get(code, f"Error {code}").format(id=ticket.order_id, status=ticket.status)
