"""What holds for every test: absent data, a skip that CI does not accept, coroutines, one hypothesis profile."""

import asyncio
import inspect
import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("JOED_DATA") or ROOT.parent / "shared" / "data")
CI = os.environ.get("CI") == "true"

# Deadlines and slowness measure the machine, not the code; in CI the same commit must give the same answer twice.
settings.register_profile(
    "joed", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=CI, print_blob=True
)
settings.load_profile("joed")

# A shell ignores Ctrl-C for what it runs in the background, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

absent = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def data_dir():
    """Give the folder of real market data; a test that asks for it counts as marked `market_data`."""
    return DATA


@pytest.fixture(scope="session")
def held_world(tmp_path_factory):
    """Give the state directory of a joed that died while it held a protected position; to be copied, not touched."""
    from tests.worlds import play

    return play(tmp_path_factory.mktemp("world") / "s")


def pytest_collection_modifyitems(config, items):
    """Leave out what needs market data where there is none; skip what needs root, or a program, where it is not."""
    for item in items:
        if "data_dir" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.market_data)
        if item.get_closest_marker("needs_root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))
        if item.get_closest_marker("needs_systemd") and not shutil.which("systemd-analyze"):
            item.add_marker(pytest.mark.skip(reason="needs systemd-analyze (Debian: systemd)"))
    if DATA.is_dir():
        return
    without = [item for item in items if item.get_closest_marker("market_data")]
    if without:
        items[:] = [item for item in items if item not in without]
        config.hook.pytest_deselected(items=without)
        config.stash[absent] = len(without)


def pytest_terminal_summary(terminalreporter, config):
    """Say in one line what was left out for want of data."""
    if count := config.stash.get(absent, 0):
        terminalreporter.write_line(f"{count} tests of real market data left out: no folder {DATA} (set JOED_DATA)")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run a coroutine test on a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames  # as pytest's own runner of functions does
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


def refuse_skip(report, *, ci=CI):
    """Turn a skip into a failure where a test that did not run would pass unseen; an expected failure is no skip."""
    if ci and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not accept: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Hold each test to it."""
    return refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    """Hold each module to it: `importorskip` and module-level skips happen while tests are collected."""
    return refuse_skip((yield))
