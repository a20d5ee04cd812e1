"""The contract's shape: every adapter has every method, with the same arguments."""

import inspect

import pytest

from joed.brokers.base import Broker
from joed.brokers.paper import PaperBroker
from joed.brokers.paper_remote import RemotePaperBroker

METHODS = [name for name in vars(Broker) if not name.startswith("_") and callable(getattr(Broker, name))]


def test_the_contract_names_what_the_daemon_calls():
    """Four orders, one reading, and a life from start to stop."""
    assert METHODS == ["subscribe", "start", "run", "stop", "submit", "amend", "cancel", "cancel_foreign", "read"]


@pytest.mark.parametrize("adapter", [PaperBroker, RemotePaperBroker])
@pytest.mark.parametrize("method", METHODS)
def test_an_adapter_has_each_method_of_the_contract(adapter, method):
    """The same words in the same order, so that one can stand in for the other."""
    ours, theirs = getattr(adapter, method), getattr(Broker, method)

    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
    assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(theirs)
