"""What a faulty link or a faulty TWS does to single messages: lose them, hold them back, say them twice."""

from dataclasses import dataclass

from joed.model.values import SECOND

NAMES = {
    "orderStatus": 3,
    "openOrder": 5,
    "nextValidId": 9,
    "managedAccounts": 15,
    "execDetails": 11,
    "commissionReport": 59,
    "openOrderEnd": 53,
    "accountDownloadEnd": 54,
    "execDetailsEnd": 55,
    "positionEnd": 62,
    "accountSummaryEnd": 64,
    "accountUpdateMultiEnd": 74,
    "completedOrdersEnd": 102,
    "contractDetailsEnd": 52,
    "currentTime": 49,
    "position": 61,
    "historicalData": 17,
}
"""Messages by the name that the client's library gives them."""


@dataclass(slots=True)
class Rule:
    """What happens to a message: `copies` are sent after `delay_s`; `left` counts down, None is for ever."""

    copies: int
    delay_s: float = 0.0
    left: int | None = None


class Tampering:
    """The rules in force, by the message's number."""

    def __init__(self, clock):
        self.clock = clock
        self.rules = {}

    def drop(self, name, count=None):
        """Lose the next messages of a kind, or all of them."""
        self.rules[NAMES[name]] = Rule(0, left=count)

    def repeat(self, name, count=None):
        """Say the next messages of a kind twice."""
        self.rules[NAMES[name]] = Rule(2, left=count)

    def delay(self, name, delay_s, count=None):
        """Hold the next messages of a kind back: others overtake them."""
        self.rules[NAMES[name]] = Rule(1, delay_s, count)

    def clear(self, name=None):
        """Let messages pass again."""
        if name is None:
            self.rules.clear()
        else:
            self.rules.pop(NAMES[name], None)

    def pass_on(self, number, send):
        """Send a message as its rule says."""
        rule = self.rules.get(number)
        if rule is None:
            send()
            return
        if rule.left is not None:
            rule.left -= 1
            if rule.left <= 0:
                del self.rules[number]
        for _ in range(rule.copies):
            if rule.delay_s:
                self.clock.call_at(self.clock.now() + int(rule.delay_s * SECOND), send)
            else:
                send()
