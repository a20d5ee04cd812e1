"""The tasks that a daemon has for its brokers: each adapter's own waiting, what is streamed, and the past."""

from collections.abc import Mapping

from joed.brokers.base import Broker, Clock, Emit
from joed.daemon.backfill import Backfill
from joed.daemon.log import Log
from joed.daemon.subscribing import Subscriber
from joed.daemon.supervise import Work, supervised, supervised_broker
from joed.model.state import State


def works_of(
    brokers: Mapping[str, Broker], state: State, clock: Clock, worker: object, emit: Emit, log: Log, *, streams: bool
) -> list[Work]:
    """Give the tasks, each begun anew where it fails; `streams` False leaves to the market what it quotes."""
    past = Backfill(brokers, state, clock=clock, worker=worker, emit=emit, log=log)
    works = [supervised(past.run, log)]
    if streams:
        subscriber = Subscriber(brokers, state, clock)
        subscriber.look()
        works.append(supervised(subscriber.run, log))
    return works + [supervised_broker(broker, state, emit, log) for broker in brokers.values()]
