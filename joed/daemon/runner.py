"""Which event loop the daemon runs on: Python's own, or uvloop where a person chose it and installed `joed[fast]`."""

import asyncio
from collections.abc import Callable, Coroutine
from importlib import import_module

from joed.errors import ConfigError
from joed.model.values import EventLoop


def runner(loop: EventLoop) -> asyncio.Runner:
    """Give what runs a coroutine on such a loop; raise ConfigError where it is not installed."""
    if loop is EventLoop.ASYNCIO:
        return asyncio.Runner()
    try:
        factory = import_module(loop.value).new_event_loop
    except ImportError:
        words = f"daemon.loop is {loop}, which is not installed: pip install 'joed[fast]', or set it to asyncio"
        raise ConfigError(words) from None
    return asyncio.Runner(loop_factory=factory)


def run(loop: EventLoop, main: Callable[[], Coroutine[object, object, int]]) -> int:
    """Run this to its end on such a loop, and give its exit status."""
    with runner(loop) as running:
        return running.run(main())
