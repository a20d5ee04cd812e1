"""Who we are to Capital.com: one login at a time, tokens that rotate, and a number for each login.

Both tokens die ten minutes after their last use, and about an hour after the login whatever is done. Any answer may
bring new ones; they count only if they belong to the login that is in force, for a slow answer of an old one must not
overwrite them. Logins are rationed (one a second a key), so the tokens outlive a restart in a file that only we read.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from joed.brokers.base import Clock
from joed.brokers.capital.faults import BadCredentials, Doubted, Fault, NotSent, Refused, SessionOver, TooMany
from joed.brokers.capital.limiter import Kind, Lane
from joed.brokers.capital.password import encrypted
from joed.brokers.capital.rest import Answer, Rest, free
from joed.brokers.capital.shapes import Active, EncryptionKey, Login
from joed.brokers.capital.wire import decode, encode
from joed.errors import BadMessage, ConfigError
from joed.model.settings import Capital
from joed.model.values import MINUTE, SECOND

IDLE_NS = 9 * MINUTE
"""Tokens that were not used for so long are renewed before they are used; they die after ten minutes."""
READ_TRIES = 3
"""How often one read is asked for: after a 429, after a login. Writes are asked for once."""
LOGIN = "/session"

T = TypeVar("T")


@dataclass(frozen=True)
class Credentials:
    """What opens an account: an API key, its user and the key's own password. Nothing of it is ever shown."""

    api_key: str = field(repr=False)
    identifier: str = field(repr=False)
    password: str = field(repr=False)
    host: str = ""

    def fit(self, host: str) -> None:
        """Refuse credentials that say that they are for the other host, by name."""
        if self.host and self.host != host:
            raise ConfigError(f"capital.host is {host}, and the credentials are for the {self.host} host")


class Tokens(Struct):
    """One login's tokens and what it told; times are ours, in nanoseconds."""

    client: str
    account: str
    account_id: str
    offset_s: int
    stream_host: str
    currency: str
    born_ns: int
    used_ns: int
    key: str = ""


class Session:
    """One login at Capital.com, renewed as needed."""

    def __init__(
        self, rest: Rest, settings: Capital, clock: Clock, credentials: Credentials, file: Path | None = None
    ) -> None:
        """Log in with these, when first needed; `file` keeps the tokens over a restart."""
        self.generation = 0
        self.logins = 0
        self._rest = rest
        self._settings = settings
        self._clock = clock
        self._credentials = credentials
        self._file = file
        self._tokens: Tokens | None = None
        self._lock = asyncio.Lock()
        self._key = _digest(credentials, rest.base)
        rest.secrets = self.secrets

    @property
    def tokens(self) -> Tokens:
        """Give the tokens in force; there are some once `ensure` has come back."""
        assert self._tokens is not None, "nothing is asked before the login"
        return self._tokens

    def secrets(self) -> tuple[str, ...]:
        """Give what must stand nowhere but in what is sent: the credentials, and the tokens in force."""
        own, tokens = self._credentials, self._tokens
        found = (own.api_key, own.identifier, own.password)
        return found if tokens is None else (*found, tokens.client, tokens.account)

    @property
    def offset_s(self) -> int:
        """Give the account's offset from UTC, in seconds."""
        return self._tokens.offset_s if self._tokens is not None else 0

    def _young(self, tokens: Tokens, now: int) -> bool:
        """Say whether tokens may be used as they are: not idle for long, and of no old login."""
        idle_ns, age_ns = now - tokens.used_ns, now - tokens.born_ns
        return 0 <= idle_ns <= IDLE_NS and 0 <= age_ns <= int(self._settings.renew_s * SECOND)

    async def ensure(self) -> None:
        """Have tokens that are young enough to use."""
        tokens, now = self._tokens, self._clock.now()
        if tokens is not None and self._young(tokens, now):
            return
        try:
            await self.renew(self.generation)
        except Fault:
            if tokens is None or now - tokens.used_ns > IDLE_NS:
                raise  # an early renewal that fails does not keep a close from leaving with tokens that still live

    async def renew(self, seen: int) -> None:
        """Log in, unless somebody has since the generation that the caller saw."""
        async with self._lock:
            if self.generation != seen and self._tokens is not None:
                return
            if self._tokens is None and self.generation == 0 and (found := self._restored()) is not None:
                self._tokens, self.generation = found, 1
                with suppress(Fault, BadMessage):
                    await self._plain("GET", LOGIN, Lane.RECONCILE)
                    return
            await self._login()

    async def get(self, kind: type[T], path: str, lane: Lane, params: Mapping[str, str] | None = None) -> T:
        """Read one thing; a session that is over or a 429 is tried again, a few times."""
        for left in range(READ_TRIES - 1, -1, -1):
            await self.ensure()
            seen = self.generation
            try:
                body, _ = await self._plain("GET", path, lane, params)
                return decode(kind, body)
            except SessionOver:
                if not left:
                    raise
                await self.renew(seen)
            except TooMany:
                if not left:
                    raise
            except BadMessage as error:
                raise Doubted(str(error)) from None
        raise AssertionError("the last try returns or raises")

    async def write(
        self,
        method: str,
        path: str,
        lane: Lane,
        *,
        body: bytes = b"",
        kind: Kind = Kind.PLAIN,
        permit: Callable[[], str] = free,
    ) -> bytes:
        """Ask for one thing to be done, once; give the answer's body.

        A login that fails before it proves that nothing was sent, whatever became of the login.
        """
        try:
            await self.ensure()
        except Fault as fault:
            raise NotSent(f"no session: {fault.words}", fault.code, fault.status) from None
        found, _ = await self._plain(method, path, lane, body=body, kind=kind, permit=permit)
        return found

    async def ready(self, lane: Lane, kind: Kind) -> None:
        """Wait until a request of this kind could leave; its turn is taken when it does."""
        await self._rest.limiter.ready(lane, kind)

    async def switch(self, account: str) -> None:
        """Make another of the user's accounts the active one; new tokens come with the answer."""
        await self.write("PUT", LOGIN, Lane.RECONCILE, body=encode({"accountId": account}))
        self.tokens.account_id = account
        self.keep()

    def keep(self) -> None:
        """Write the tokens to their file, readable by us alone."""
        if self._file is None or self._tokens is None:
            return
        data = msgspec.json.encode(self._tokens)
        beside = self._file.with_name(self._file.name + ".new")
        with suppress(OSError):  # a full disk costs a login, no more
            beside.unlink(missing_ok=True)
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:  # noqa: PTH123 - the mode is set as the file is made
                stream.write(data)
            beside.replace(self._file)

    async def _plain(
        self,
        method: str,
        path: str,
        lane: Lane,
        params: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401 - handed on to Rest.call as it is
    ) -> Answer:
        """Send one request with the tokens in force, and take the new ones that its answer brings."""
        seen = self.generation

        def headers() -> Mapping[str, str]:
            nonlocal seen
            seen, tokens = self.generation, self.tokens
            return {
                "X-CAP-API-KEY": self._credentials.api_key,
                "CST": tokens.client,
                "X-SECURITY-TOKEN": tokens.account,
            }

        answer = await self._rest.call(method, path, lane=lane, params=params, headers=headers, **more)
        self._rotate(seen, answer[1])
        return answer

    def _rotate(self, seen: int, headers: Mapping[str, str]) -> None:
        """Take the tokens that an answer brings, if it is an answer to the login in force."""
        tokens = self._tokens
        if tokens is None or seen != self.generation:
            return
        tokens.client = headers.get("CST") or tokens.client
        tokens.account = headers.get("X-SECURITY-TOKEN") or tokens.account
        tokens.used_ns = self._clock.now()

    async def _login(self) -> None:
        """Log in without any old token, for stale ones are refused even here."""
        self.logins += 1
        password, is_encrypted = await self._password()
        body = {
            "identifier": self._credentials.identifier,
            "password": password,
            "encryptedPassword": is_encrypted,
        }
        found, headers = await self._rest.call(
            "POST", LOGIN, lane=Lane.RECONCILE, kind=Kind.LOGIN, body=encode(body), headers=self._key_alone
        )
        try:
            login = decode(Login, found)
        except BadMessage as error:
            raise Doubted(str(error)) from None
        client, account = headers.get("CST", ""), headers.get("X-SECURITY-TOKEN", "")
        if not client or not account:
            raise Doubted("a login without tokens")
        now = self._clock.now()
        offset_s = int(login.timezone_offset * Decimal(3600))
        stream, currency = login.streaming_host, login.currency_iso_code
        self._tokens = Tokens(
            client, account, login.current_account_id, offset_s, stream, currency, now, now, self._key
        )
        self.generation += 1
        self.keep()

    async def _password(self) -> tuple[str, bool]:
        """Give the password under the server's key; plain, over TLS all the same, where the server has none."""
        try:
            body, _ = await self._rest.call(
                "GET", "/session/encryptionKey", lane=Lane.RECONCILE, headers=self._key_alone
            )
            key = decode(EncryptionKey, body)
            return encrypted(self._credentials.password, key.encryption_key, key.time_stamp), True
        except (BadCredentials, TooMany):
            raise
        except (BadMessage, Refused):
            return self._credentials.password, False

    def _key_alone(self) -> Mapping[str, str]:
        return {"X-CAP-API-KEY": self._credentials.api_key}

    def _restored(self) -> Tokens | None:
        """Give the tokens of the last process, if they are ours, young, and in a file that nobody else could read."""
        if self._file is None:
            return None
        try:
            mode = self._file.stat().st_mode & 0o777
            found = msgspec.json.decode(self._file.read_bytes(), type=Tokens)
        except (OSError, msgspec.DecodeError):
            return None
        young = self._young(found, self._clock.now())
        return found if young and found.key == self._key and not mode & 0o077 else None

    async def active(self, lane: Lane = Lane.RECONCILE) -> Active:
        """Ask which account is active: the one authority on it."""
        found = await self.get(Active, LOGIN, lane)
        self.tokens.offset_s = int(found.timezone_offset * Decimal(3600))
        return found


def _digest(credentials: Credentials, base: str) -> str:
    """Give what tells one set of credentials and host from another, and nothing of what they are."""
    parts = (base, credentials.api_key, credentials.identifier, credentials.password)
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
