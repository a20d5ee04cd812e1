"""Which adapter speaks with which broker: a table of makers, each imported when it is asked for.

The daemon and the failsafe make their adapters here, so both reach a broker by the same code. Start-up time and memory
are features: who trades on paper imports no broker's library, who trades at one broker not the other's.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from joed.brokers.base import Broker, Clock, Emit
from joed.daemon.credentials import Secrets
from joed.errors import ConfigError
from joed.model.settings import Settings

PAPER = "paper"
CAPITAL = ("capital-api-key", "capital-identifier", "capital-password")
"""The names of Capital.com's credentials; `capital-host` may say for which host they are."""


class Maker(NamedTuple):
    """How one broker's adapter is made: what it needs of the secrets (read before anything connects), and the making.

    Credentials are that adapter's own kind, None where it needs none; `credentials` raises ConfigError where they lack.
    `make` takes name, settings, clock, emit, credentials, and as `root` the state directory where it keeps what it must
    remember over a restart; None for a visit that trades nothing.
    """

    credentials: Callable[[Secrets], Any]
    make: Callable[..., Broker]


def _none(secrets: Secrets) -> None:
    """Give none: TWS and Gateway hold the login themselves."""


def _ibkr(
    name: str, settings: Settings, clock: Clock, emit: Emit, credentials: object, *, root: Path | None = None
) -> Broker:
    from joed.brokers.ibkr.broker import IbkrBroker

    return IbkrBroker(name, settings, clock, emit, root)


def _capital_credentials(secrets: Secrets) -> Any:  # noqa: ANN401 - its own kind
    from joed.brokers.capital.session import Credentials

    key, identifier, password = (secrets.get(name) for name in CAPITAL)
    return Credentials(key, identifier, password, host=secrets.maybe("capital-host"))


def _capital(
    name: str,
    settings: Settings,
    clock: Clock,
    emit: Emit,
    credentials: Any,  # noqa: ANN401 - its own kind
    *,
    root: Path | None = None,
) -> Broker:
    from joed.brokers.capital.broker import CapitalBroker

    return CapitalBroker(name, settings, clock, emit, credentials, directory=root)


MAKERS: dict[str, Maker] = {
    "ibkr": Maker(_none, _ibkr),
    "capital": Maker(_capital_credentials, _capital),
}
"""The brokers beside the embedded one."""


def account_of(settings: Settings, name: str) -> str:
    """Give the account that the settings name at a broker: of several names the one in its place among the brokers."""
    names = [word for word in map(str.strip, settings.account.split(",")) if word]
    if len(settings.brokers) > 1 and len(names) == len(settings.brokers):
        return names[settings.brokers.index(name)]
    return settings.account


def make(
    name: str, settings: Settings, clock: Clock, emit: Emit, credentials: object, root: Path | None = None
) -> Broker:
    """Make a broker's adapter, with its own account in the settings that it is given."""
    own = replace(settings, account=account_of(settings, name))
    return maker_of(name).make(name, own, clock, emit, credentials, root=root)


def credentials_of(names: tuple[str, ...], secrets: Secrets) -> dict[str, Any]:
    """Read what these brokers need, all of it before the first connection; raise ConfigError for what lacks."""
    return {name: maker_of(name).credentials(secrets) for name in names}


def maker_of(name: str) -> Maker:
    """Give a broker's row; raise ConfigError for one that is not known."""
    if name not in MAKERS:
        raise ConfigError(f"broker {name!r} is not known to this joed; there are: {', '.join((PAPER, *MAKERS))}")
    return MAKERS[name]
