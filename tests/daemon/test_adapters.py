"""The table of makers: named, lazy, and whole before the first connection."""

import subprocess
import sys

import pytest

from joed.contradictions import BROKERS
from joed.daemon.adapters import MAKERS, PAPER, credentials_of, maker_of
from joed.daemon.credentials import Secrets
from joed.errors import ConfigError
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
