"""The table of makers: named, lazy, and whole before the first connection."""

import subprocess
import sys

import pytest

from joed.contradictions import BROKERS
from joed.daemon.adapters import CAPITAL, MAKERS, PAPER, account_of, credentials_of, maker_of
from joed.daemon.credentials import Secrets
from joed.errors import ConfigError
from joed.model.settings import Settings
from tests.demos import ROOT
from tests.joectl.running import environment


def loaded(code):
    """Give the modules that a program has imported after some code."""
    words = [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"]
    done = subprocess.run(words, env=environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_table_knows_the_brokers_that_the_configuration_may_name():
    """A name that passes --check has an adapter."""
    assert (PAPER, *MAKERS) == BROKERS


def test_an_unknown_broker_is_refused_by_name():
    """With those there are."""
    with pytest.raises(ConfigError, match="broker 'ibk' is not known to this joed; there are: paper, ibkr, capital"):
        maker_of("ibk")


def test_who_trades_on_paper_imports_no_brokers_library():
    """Start-up time is a feature: neither adapter nor its library is there until it is made."""
    names = loaded("import joed.modes, joed.compose, joed.brokerage, joed.daemon.daemon, joed.daemon.reach")
    libraries = {"ib_insync", "ib_async", "eventkit", "websockets", "numpy"}

    assert not libraries & names
    assert not [name for name in names if name.startswith(("joed.brokers.ibkr", "joed.brokers.capital"))]


def test_ibkr_needs_no_credentials_of_ours():
    """TWS and Gateway hold the login."""
    assert credentials_of(("ibkr",), Secrets(None)) == {"ibkr": None}


def test_capital_needs_three_credentials_and_takes_the_word_of_a_fourth(tmp_path):
    """Whichever is missing is named; none of them shows."""
    for number, name in enumerate(CAPITAL):
        with pytest.raises(ConfigError, match=f"no credential {name}"):
            credentials_of(("capital",), Secrets(tmp_path))
        (tmp_path / name).write_text(f"secret{number}")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "capital-host").write_text("demo")
    (tmp_path / "capital-host").chmod(0o600)

    secrets = Secrets(tmp_path)
    found = credentials_of(("capital",), secrets)["capital"]

    assert (found.api_key, found.identifier, found.password, found.host) == ("secret0", "secret1", "secret2", "demo")
    assert secrets.values == ["secret0", "secret1", "secret2", "demo"]
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("brokers", "account", "name", "own"),
    [
        (("ibkr",), "DU1", "ibkr", "DU1"),
        (("ibkr", "capital"), "DU1, 77", "ibkr", "DU1"),
        (("ibkr", "capital"), "DU1, 77", "capital", "77"),
        (("ibkr", "capital"), "", "capital", ""),
    ],
)
def test_each_broker_is_given_its_own_account(brokers, account, name, own):
    """Of several names the one in its place: no broker is asked for another's account."""
    assert account_of(Settings(brokers=brokers, account=account), name) == own
