"""Who may come in, and how often: logins, tokens that age and rotate, and the limits of the service."""

import base64
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from joed.model.values import HOUR, MINUTE, SECOND
from tests.fakes.capital.rsa import PUBLIC_KEY, decrypted
from tests.fakes.capital.words import Refused

SESSION_INVALID = "error.invalid.session.token"
TOO_MANY = "error.too-many.requests"
IDLE_NS = 10 * MINUTE
REQUESTS, REQUESTS_NS = 10, SECOND
LOGINS, LOGINS_NS = 1, SECOND
ORDER_GAP_NS = SECOND // 10
ORDERS_HOUR = 1_000
SESSIONS_MAX = 1_000
STAMP_NS = 10 * MINUTE
"""How long an encryption key's time stamp is good for."""


@dataclass
class User:
    """One user's credentials, all made up."""

    api_key: str = "KeyOfTheFake0001"
    identifier: str = "trader@example.com"
    password: str = "Words-4-the-fake"
    client_id: str = "12345678"


@dataclass
class Account:
    """One financial account. `trades` is False for those that the exchange knows nothing of."""

    account_id: str = "123456789012345678"
    name: str = "USD"
    kind: str = "CFD"
    currency: str = "USD"
    status: str = "ENABLED"
    preferred: bool = True
    trades: bool = True
    hedging: bool = False
    leverages: dict[str, int] = field(default_factory=dict)
    adjusted: Decimal = Decimal(0)
    """What swaps, dividends and top-ups have added to its money."""


@dataclass
class Session:
    """One login: its tokens now, those that a rotation left valid for a while, and which account it looks at."""

    client: str
    account: str
    account_id: str
    created_ns: int
    used_ns: int
    old: dict[tuple[str, str], int] = field(default_factory=dict)
    answers: int = 0


class Window:
    """At most so many in a sliding window."""

    def __init__(self, count, span_ns):
        self.count, self.span_ns = count, span_ns
        self.seen = deque(maxlen=count)

    def take(self, now):
        """Say whether one more is allowed now, and count it if so."""
        if len(self.seen) == self.count and now - self.seen[0] < self.span_ns:
            return False
        self.seen.append(now)
        return True


class Limits:
    """The service's limits; `on` False takes them all away, each count may be changed."""

    def __init__(self):
        self.on = True
        self.requests = Window(REQUESTS, REQUESTS_NS)
        self.logins = Window(LOGINS, LOGINS_NS)
        self.orders = Window(1, ORDER_GAP_NS)
        self.orders_hour = Window(ORDERS_HOUR, HOUR)
        self.refused = 0

    def check(self, now, *windows):
        """Count one in each window, or refuse with 429."""
        if self.on and not all(window.take(now) for window in windows):
            self.refused += 1
            raise Refused(429, TOO_MANY)


class Door:
    """Sessions by their tokens."""

    def __init__(self, user, accounts, clock):
        self.user, self.accounts, self.clock = user, accounts, clock
        self.limits = Limits()
        self.sessions = []
        self.active_id = next(iter(accounts))
        self.cap_s = None
        """The hard end of a session, however busy; None for none."""
        self.rotate_each = 0
        """After so many answers a session gets new tokens; 0 for never."""
        self.rotation_grace_s = 30.0
        self.logins = 0
        self._made = 0

    def login(self, headers, body):
        """Give a new session, or refuse."""
        now = self.clock.now()
        key = headers.get("X-CAP-API-KEY")
        if not key:
            raise Refused(400, "error.null.api.key")
        self.limits.check(now, self.limits.logins)
        password = str(body.get("password", ""))
        if body.get("encryptedPassword"):
            password = self.plain(password, now)
        given = (key, body.get("identifier"), password)
        if given != (self.user.api_key, self.user.identifier, self.user.password):
            raise Refused(401, "error.invalid.details")
        self.logins += 1
        session = Session(*self.tokens(), self.active_id, now, now)
        self.sessions = [*self.sessions[-SESSIONS_MAX:], session]
        return session

    def plain(self, cipher, now):
        """Decrypt a password: RSA, PKCS #1 v1.5, around base64(password|timeStamp)."""
        try:
            words = base64.b64decode(decrypted(base64.b64decode(cipher))).decode()
        except ValueError:
            raise Refused(401, "error.invalid.details") from None
        password, _, stamp = words.rpartition("|")
        if not stamp.isdigit() or not 0 <= now - int(stamp) * 1_000_000 <= STAMP_NS:
            raise Refused(401, "error.invalid.details")
        return password

    def encryption_key(self, headers):
        """Give the key for an encrypted login, and its time."""
        if not headers.get("X-CAP-API-KEY"):
            raise Refused(400, "error.null.api.key")
        return {"encryptionKey": PUBLIC_KEY, "timeStamp": self.clock.now() // 1_000_000}

    def tokens(self):
        """Make a pair of tokens."""
        self._made += 1
        return f"CST{self._made:06d}" + "c" * 20, f"XST{self._made:06d}" + "x" * 20

    def find(self, client, account, *, keeps=True):
        """Give the session of a pair of tokens, or refuse; `keeps` lets it live on, which the stream does not."""
        if not client:
            raise Refused(400, "error.null.client.token")
        if not account:
            raise Refused(400, "error.null.account.token")
        now = self.clock.now()
        session = next((one for one in self.sessions if self.opens(one, (client, account), now)), None)
        if session is None or self.over(session, now):
            raise Refused(401, SESSION_INVALID)
        if keeps:
            session.used_ns = now
        return session

    def opens(self, session, pair, now):
        """Say whether a pair of tokens is a session's, now or for a while still."""
        return pair == (session.client, session.account) or session.old.get(pair, 0) > now

    def over(self, session, now):
        """Say whether a session has died of idleness or of age."""
        aged = self.cap_s is not None and now - session.created_ns >= self.cap_s * SECOND
        return aged or now - session.used_ns >= IDLE_NS

    def answer(self, session):
        """Give the token headers of an answer, new ones where it is time to rotate."""
        session.answers += 1
        if self.rotate_each and session.answers % self.rotate_each == 0:
            self.rotate(session)
        return {"CST": session.client, "X-SECURITY-TOKEN": session.account}

    def rotate(self, session):
        """Give a session new tokens; the old ones stay good for a while."""
        until_ns = self.clock.now() + int(self.rotation_grace_s * SECOND)
        session.old[(session.client, session.account)] = until_ns
        session.client, session.account = self.tokens()

    def end(self, session):
        """Log a session out."""
        self.sessions = [one for one in self.sessions if one is not session]

    def revoke_all(self):
        """Make every token invalid at once."""
        self.sessions = []

    def switch(self, account_id):
        """Have all sessions of the user look at another account, as a switch in the app does."""
        self.active_id = account_id
        for session in self.sessions:
            session.account_id = account_id
