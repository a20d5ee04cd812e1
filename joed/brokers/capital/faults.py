"""What can go wrong with one request, by what it proves: nothing left, it was refused, or nobody knows.

The tree: Fault ─ NotSent (no byte has left), Refused (a definitive answer: Gone, TooMany, SessionOver, BadCredentials)
and Doubted (anything else). A Doubted write may have happened; a Doubted read has told nothing.
"""

from decimal import Decimal, InvalidOperation

from joed.brokers.capital.wire import clean
from joed.errors import BrokerUnavailable


class Fault(BrokerUnavailable):
    """A request that gave no answer to use; `code` is Capital.com's own word where it gave one."""

    def __init__(self, words: str, code: str = "", status: int = 0) -> None:
        """Keep words that carry no secret: the code and the status, never a body or a header."""
        super().__init__(words)
        self.words = words
        self.code = code
        self.status = status


class NotSent(Fault):
    """No byte of the request has left this process, nor will."""


class Refused(Fault):
    """Capital.com said no: what was asked for has not happened."""

    @property
    def bound(self) -> Decimal | None:
        """Give the price or size that the code names after its colon, None where it names none."""
        _, colon, text = self.code.partition(":")
        try:
            found = Decimal(text.strip()) if colon else None
        except InvalidOperation:
            return None
        return found if found is not None and found.is_finite() else None


class Gone(Refused):
    """There is no such deal, reference, instrument or price."""


class TooMany(Refused):
    """More requests than are allowed: this one was not carried out."""


class SessionOver(Refused):
    """The tokens are no longer good: this request was not carried out, a login mends it."""


class BadCredentials(Refused):
    """The key, the identifier or the password is wrong: only a person mends it."""


class Doubted(Fault):
    """No answer that proves anything: a time-out, a reset, an error of theirs, a body that is no answer."""


SESSION_CODES = (
    *("error.invalid.session.token", "error.null.client.token", "error.security.client-token-missing"),
    *("error.security.token-invalid", "error.security.account.token.invalid", "error.null.accountId"),
)
"""Looked for before any rule about "error.invalid.": one of them begins like a refused order."""
CREDENTIAL_CODES = ("error.invalid.details", "error.null.api.key", "error.invalid.api.key")
RATE_CODES = ("error.too-many.requests", "error.public-api.exceeded-request-rate-allowance")
THEIR_OWN = ("java.", "javax.", "com.", "org.", "error.service.")
"""Codes that tell of a failure inside Capital.com: the request may or may not have been carried out."""

KINDS: tuple[tuple[tuple[str, ...], type[Fault]], ...] = (
    (SESSION_CODES, SessionOver),
    (CREDENTIAL_CODES, BadCredentials),
    (RATE_CODES, TooMany),
    (THEIR_OWN, Doubted),
    (("error.not-found.", "error.prices.not-found"), Gone),
)
"""The kind of fault by how a code begins, in the order of asking."""

REFUSALS: tuple[tuple[str, str], ...] = (
    ("error.invalid.size", "quantity"),
    ("error.invalid.stoploss", "stop"),
    ("error.invalid.takeprofit", "target"),
    ("error.invalid.level", "price"),
    ("error.validation.", "price"),
    ("error.too-many", "rate"),
    ("error.public-api", "rate"),
    ("RC_NOT_ENOUGH_MARGIN", "margin"),
    ("CLOSED_MARKET", "closed"),
    ("CLOSE_ONLY", "close_only"),
    ("THROTTLING", "rate"),
    ("INVALID_ORDER_QTY", "quantity"),
)


def fault_of(status: int, code: str) -> Fault:
    """Give the fault that an answer with this status and this errorCode is (reliability 6.3)."""
    words = f"{clean(code) or 'no error code'} (HTTP {status})"
    for beginnings, kind in KINDS:
        if code.startswith(beginnings):
            return kind(words, code, status)
    if status == 401:
        return SessionOver(words, code, status)
    if status == 429:
        return TooMany(words, code, status)
    if 400 <= status < 500 and code:
        return Gone(words, code, status) if status == 404 else Refused(words, code, status)
    return Doubted(words, code, status)


def refusal_code(code: str) -> str:
    """Give our one word for why an order was refused; theirs where we have none."""
    return next((ours for theirs, ours in REFUSALS if code.startswith(theirs)), clean(code) or "refused")
