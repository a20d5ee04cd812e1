"""What the tests of the Interactive Brokers adapter start from."""

import pytest

from tests.brokers.rig_ibkr import IbkrRig
from tests.brokers.rigs import exchange_of


@pytest.fixture
def make_rig():
    """Give a function that makes a rig with settings of its own; all of them end with the test."""
    rigs = []

    def make(exchange=None, **settings):
        rigs.append(IbkrRig(exchange or exchange_of(), **settings))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(make_rig):
    """Give the adapter, connected to a TWS where AAA stands at 99.90 to 100.00, and nothing left to be heard."""
    rig = make_rig()
    rig.quote(99.9, 100.0)
    rig.take()
    return rig
