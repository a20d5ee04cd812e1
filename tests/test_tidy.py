"""The rules of the house as tests; each rule also shows that it can fail."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import conftest, tidy

ROOT = Path(__file__).resolve().parent.parent

PURE = ("joed/model/", "joed/exchange.py", "joed/analysis/", "joed/strategies/", "joed/engine/")
SHELL = ("joed/brokers/", "joed/daemon/", "joed/sim/")
FRONTS = ("joed/demo.py", "joed/modes.py", "joed/venue.py")
"""Where a process begins, and with it its loop."""
PURE_TESTS = ("tests/model/", "tests/test_exchange.py", "tests/analysis/", "tests/strategies/", "tests/engine/")
WIRE = {"aiohttp", "websockets", "ib_insync", "ib_async", "eventkit"}
WORLD = WIRE | {
    *("asyncio", "time", "random", "os", "io", "pathlib", "socket", "threading", "logging", "uuid", "secrets"),
    *(
        "concurrent",
        "http",
        "multiprocessing",
        "select",
        "selectors",
        "shutil",
        "signal",
        "sqlite3",
        "ssl",
        "subprocess",
    ),
    *("tempfile", "urllib", "pydantic", "prometheus_client", "sdnotify", "yaml", "click", "rich", "textual", "apprise"),
}
HEAVY = {"pandas", "polars", "matplotlib", "scipy", "sklearn", "statsmodels"}

# Modules without a test file of their own, each with its reason.
# A row that is no longer needed (the test is there, or the module is gone) fails.
UNMIRRORED: dict[str, str] = {}


class Rule(NamedTuple):
    """Where a rule holds, what finds its breach, one planted breach, and the nearest thing that is allowed."""

    where: Callable[[str], bool]
    find: Callable[[str, str], tidy.Findings]
    bad: str
    good: str
    path: str = "joed/engine/planted.py"


def under(*roots, but=()):
    """Say whether a path is Python source below one of the roots."""
    return lambda path: path.endswith(".py") and path.startswith(roots) and not path.startswith(tuple(but) or "\0")


def banned(*names):
    """Find imports of these modules."""
    return partial(tidy.imports_any, banned=set(names))


def anything(path):
    """Hold a rule on every text file but the two that must name what they forbid."""
    return path not in {"tests/tidy.py", "tests/test_tidy.py"}


OURS = under("joed/", "joectl/")
PYTHON = under("joed/", "joectl/", "tests/", "packaging/")

RULES = {
    "a file has at most 400 lines": Rule(OURS, tidy.too_long, "x = 1\n" * 401, "x = 1\n" * 400),
    "a function has at most 70 lines": Rule(
        PYTHON, tidy.long_functions, "def f():\n" + "    x = 1\n" * 70, "def f():\n" + "    x = 1\n" * 69
    ),
    "a module's name says what is inside": Rule(PYTHON, tidy.vague_names, "", "", path="joed/daemon/order_manager.py"),
    "only daemon/clock.py reads time": Rule(
        under("joed/", but=["joed/daemon/clock.py"]),
        tidy.clock_reads,
        "import time as t\nread = t.monotonic_ns\n",
        "import datetime\nat = datetime.datetime.fromtimestamp(1, datetime.UTC)\n",
    ),
    "pure code is tested without a clock": Rule(
        under(*PURE_TESTS),
        tidy.clock_reads,
        "from datetime import datetime as d\nd.now()\n",
        "from datetime import date\n",
    ),
    "only engine/orders.py builds SubmitOrder": Rule(
        under(
            "joed/", but=["joed/engine/orders.py", "joed/daemon/rescue.py"]
        ),  # the failsafe's closes: no engine there
        tidy.submits,
        "commands.SubmitOrder(1)\n",
        "isinstance(command, SubmitOrder)\n",
    ),
    "what decides imports no world": Rule(
        under(*PURE), banned(*WORLD), "import os.path\n", "import decimal\nfrom joed.model import time\n"
    ),
    "what decides touches no world": Rule(under(*PURE), tidy.touches_the_world, "print(1)\n", "chart.open(1)\n"),
    "the engine has no numpy and knows the model only": Rule(
        under("joed/engine/"),
        banned("numpy", "joed.analysis", "joed.strategies", "joed.exchange", "joed.config", "joed.errors"),
        "def f():\n    from joed import analysis\n",
        "from joed.model import values\n",
    ),
    "strategies know model and analysis": Rule(
        under("joed/strategies/"),
        banned("joed.engine", "joed.exchange", "joed.config", "joed.protocol", "joed.brokers", "joed.daemon"),
        "import joed.engine.step\n",
        "import joed.analysis.indicators\n",
    ),
    "only brokers hold a broker's transport": Rule(
        under("joed/", but=["joed/brokers/"]),
        banned("ib_insync", "ib_async", "eventkit", "websockets"),
        "__import__('ib_insync')\n",
        "import json\n",
    ),
    "network and metrics live in the shell": Rule(
        under("joed/", but=SHELL),
        banned("aiohttp", "prometheus_client", "sdnotify", "apprise", "socket", "ssl"),
        "from aiohttp import web\n",
        "import click\n",
    ),
    "pydantic guards config and nothing hot": Rule(
        under("joed/", but=["joed/config.py"]),
        banned("pydantic"),
        "from pydantic import BaseModel\n",
        "import msgspec\n",
    ),
    "the socket's words need the standard library only": Rule(
        under("joed/protocol.py"), tidy.beyond_stdlib, "import msgspec\n", "import json\n"
    ),
    "joectl knows the words, click and the standard library": Rule(
        under("joectl/"), tidy.joectl_imports, "from rich.table import Table\n", "def f():\n    import rich\n"
    ),
    "joectl knows nothing else of joed": Rule(
        under("joectl/"), tidy.joectl_imports, "from joed.model import values\n", "from joed.protocol import Status\n"
    ),
    "no pandas in the daemon or the worker": Rule(OURS, banned(*HEAVY), "import pandas as pd\n", "import numpy\n"),
    "data is never run as code": Rule(OURS, tidy.dangers, "run('ls', shell=True)\n", "re.compile('x')\n"),
    "data is never unpickled": Rule(OURS, tidy.dangers, "from pickle import loads\n", "import json\n"),
    "no iteration over a set decides": Rule(
        under(*PURE),
        tidy.set_order,
        "def f(a):\n    names = set(a)\n    return [n for n in names]\n",
        "def f(a):\n    names = set(a)\n    return sorted(n for n in names), any(n for n in {1, 2})\n",
    ),
    "async lives in the shell": Rule(
        under("joed/", "joectl/", but=[*SHELL, *FRONTS, "joectl/watch.py", "joectl/top.py"]),
        tidy.async_code,
        "async def f(): ...\n",
        "def f(): ...\n",
    ),
    "each task belongs to a TaskGroup": Rule(
        OURS, tidy.loose_tasks, "task = asyncio.create_task(f())\n", "group.create_task(f())\n"
    ),
    "every queue has a bound": Rule(OURS, tidy.unbounded_queues, "q = asyncio.Queue()\n", "q = queue.Queue(10)\n"),
    "no work is put off in a comment": Rule(PYTHON, tidy.left_overs, "x = 1  # FIXME\n", "x = 'FIXME'\n"),
    "fakes, never mocks": Rule(
        under("tests/"),
        banned("unittest.mock", "mock", "pytest_mock"),
        "from unittest import mock\n",
        "import unittest\n",
    ),
    "a silenced check says why": Rule(
        PYTHON, tidy.unexplained, "x = 1  # noqa: E501\n", "x = 1  # noqa: E501 - the address is one word\n"
    ),
    "a silenced check names its code": Rule(
        PYTHON, tidy.unexplained, "x = 1  # type: ignore\n", "x = 1  # type: ignore[misc]  # the library lies\n"
    ),
    "a rule switched off says why": Rule(
        lambda path: path == "pyproject.toml",
        tidy.unexplained_settings,
        '[tool.ruff.lint]\nignore = [\n    "E501",\n]\n',
        '[tool.ruff.lint]\nignore = [\n    "E501",  # the formatter decides\n]\n',
        path="pyproject.toml",
    ),
    "no banner comments": Rule(
        lambda path: path.endswith((".py", ".toml", ".yaml", ".yml", ".sh")) or path in {"Makefile", ".ci/run"},
        tidy.banners,
        "# ---- orders ----\n",
        "x = '# ----'  # why: a-b\n",
    ),
    "asserts are never switched off": Rule(
        anything, tidy.asserts_off, "ExecStart=python3 -u -O -m joed\n", "python3 -m joed\n", path="a.service"
    ),
    "nothing names a registry or a place on one machine": Rule(
        anything, tidy.places, "cd /" + "work/main\n", "cd ./" + "work/main\n", path="docs/a.md"
    ),
    "a test is a sentence and states its law": Rule(
        lambda path: path.startswith("tests/") and Path(path).name.startswith("test_"),
        tidy.unnamed_tests,
        "def test_an_order_is_sent_once(): ...\n",
        'def test_an_order_is_sent_once():\n    """Once."""\n',
    ),
}


def tracked():
    """List what git has, or would take: this checkout's files, without what it ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted({name for name in names if name and (ROOT / name).is_file()})


@pytest.fixture(scope="module")
def texts():
    """Read every tracked text once."""
    found = {}
    for name in tracked():
        data = (ROOT / name).read_bytes()
        if b"\0" not in data:
            found[name] = data.decode()
    return found


@pytest.mark.parametrize("name", RULES)
def test_every_file_keeps_the_rule(name, texts):
    """No file that a rule speaks of breaks it."""
    rule = RULES[name]

    broken = [
        f"{path}:{line}: {words}"
        for path, text in texts.items()
        if rule.where(path)
        for line, words in rule.find(path, text)
    ]

    assert not broken, f"{name}:\n" + "\n".join(broken)


@pytest.mark.parametrize("name", RULES)
def test_each_rule_finds_its_planted_breach(name):
    """A rule that cannot fail holds nothing; one that finds the nearest allowed thing gets switched off."""
    rule = RULES[name]

    assert list(rule.find(rule.path, rule.bad))
    assert not list(rule.find("joed/engine/step.py", rule.good))


@pytest.mark.parametrize(
    ("find", "source"),
    [
        (tidy.clock_reads, "from time import time_ns\n"),
        (tidy.clock_reads, "import datetime as d\nd.datetime.utcnow()\n"),
        (tidy.clock_reads, "asyncio.get_running_loop().time()\n"),
        (tidy.clock_reads, "self._loop.time()\n"),
        (tidy.set_order, "for name in {1, 2}: pass\n"),
        (tidy.set_order, "first = next(iter(set(names)))\n"),
        (tidy.set_order, "order = list({1} | other)\n"),
        (tidy.set_order, "book = {name: 1 for name in frozenset(names)}\n"),
        (tidy.dangers, "eval(text)\n"),
        (tidy.dangers, "os.system(text)\n"),
        (tidy.unbounded_queues, "queue.SimpleQueue()\n"),
        (tidy.loose_tasks, "asyncio.ensure_future(f())\n"),
        (tidy.joectl_imports, "import msgspec\n"),
        (tidy.unnamed_tests, "x = 1\n"),
        (tidy.unnamed_tests, 'def test_order():\n    """A law."""\n'),
        (tidy.unexplained, "x = 1  # pragma: no cover\n"),
        (tidy.unexplained, "x = 1  # noqa\n"),
        (tidy.places, "pip install --index-url http://x/simple joed\n"),
        (tidy.places, "see pypi." + "org\n"),
        (tidy.asserts_off, "PYTHONOPTIMIZE=1\n"),
        (tidy.banners, "x = 1\n# orders =======\n"),
        (tidy.unexplained_settings, '[tool.ruff.lint.per-file-ignores]\n"a/**" = ["T201"]\n'),
        (tidy.unexplained_settings, "[[tool.mypy.overrides]]\nignore_missing_imports = true\n"),
    ],
)
def test_a_rule_sees_through_other_spellings(find, source):
    """The same breach written another way is the same breach."""
    assert list(find("joed/engine/planted.py", source))


def mirrors(texts, unmirrored):
    """Find modules without their test file, and exceptions that nothing needs any longer."""
    modules = [path for path in texts if OURS(path) and not path.endswith("__init__.py")]
    lacking = {path for path in modules if tidy.has_behaviour(texts[path]) and tidy.mirror_of(path) not in texts}
    missing = [f"{path}: no {tidy.mirror_of(path)}" for path in sorted(lacking - set(unmirrored))]
    return missing + [f"{path}: needs no exception any longer" for path in sorted(set(unmirrored) - lacking)]


def test_each_module_has_its_own_test_file(texts):
    """One file a module, same path; a module of names and shapes alone has nothing to test."""
    gaps = mirrors(texts, UNMIRRORED)

    assert not gaps, "\n".join(gaps)


def test_the_mirror_finds_gaps_and_exceptions_out_of_use():
    """A module without its test fails, and so does an exception that outlived its reason."""
    texts = {"joed/engine/a.py": "def f(): ...\n", "joed/b.py": "X = 1\n", "joectl/c.py": "def f(): ...\n"}
    tests = {"tests/engine/test_a.py": "", "tests/joectl/test_c.py": ""}

    assert mirrors(texts, {}) == [
        "joectl/c.py: no tests/joectl/test_c.py",
        "joed/engine/a.py: no tests/engine/test_a.py",
    ]
    assert mirrors(texts | tests, {}) == []
    assert mirrors(texts | tests, {"joed/b.py": "why"}) == ["joed/b.py: needs no exception any longer"]


def modules_loaded_by(*names):
    """Import these in a fresh interpreter and say what came along."""
    script = f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\nprint(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def module_names(texts, *, under_root):
    """Name the modules below a package as Python would."""
    paths = [path for path in texts if path.startswith(under_root) and path.endswith(".py")]
    return [path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in paths]


def test_importing_all_of_joed_loads_no_heavy_library(texts):
    """Start-up and memory are features: pandas alone costs the daemon its whole budget."""
    loaded = modules_loaded_by(*module_names(texts, under_root="joed/"))

    assert not loaded & HEAVY
    assert not loaded & {"unittest.mock", "pytest", "exchange_calendars"}


def test_joectl_starts_without_what_only_some_verbs_need():
    """`joectl status` answers within its budget because it loads nothing that it does not use."""
    if not (ROOT / "joectl" / "cli.py").exists():
        return

    loaded = modules_loaded_by("joectl.cli")

    assert not loaded & {"rich", "textual", "numpy", "pydantic", "msgspec", "aiohttp", "asyncio", "yaml"}


def test_the_check_of_loaded_modules_sees_what_is_loaded():
    """A check that sees nothing would pass for ever."""
    assert "decimal" in modules_loaded_by("decimal")


def test_no_tracked_file_is_a_blob():
    """Market data and builds stay out of the repository."""
    sizes = {name: (ROOT / name).stat().st_size for name in tracked()}

    assert [name for name, size in sizes.items() if size > tidy.FILE_BYTES_MAX] == []


def test_asserts_are_on_in_this_run():
    """`assert` means that we were wrong: a run without them proves nothing."""
    assert sys.flags.optimize == 0


def test_the_lock_pins_every_direct_dependency_by_hash(texts):
    """What runs on a trader's machine is the bytes that were tested."""
    project = tomllib.loads(texts["pyproject.toml"])
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    wanted += project["project"]["optional-dependencies"]["data"]
    rows = texts["requirements.lock"].replace("\\\n", "").splitlines()
    pinned = {row.split("==")[0]: row for row in rows if row[:1].isalpha()}

    names = [re.split("[>=]=", name)[0].lower().replace("_", "-") for name in wanted]

    assert [name for name in names if name not in pinned] == []
    assert [name for name, row in pinned.items() if "--hash=sha256:" not in row] == []


class Report:
    """A test's report, as far as the rule against skips looks at it."""

    def __init__(self, *, skipped, **more):
        self.skipped, self.outcome, self.longrepr = skipped, "skipped" if skipped else "passed", "why"
        vars(self).update(more)


def test_ci_turns_a_skip_into_a_failure_and_nothing_else():
    """A skipped test passes unseen, so CI refuses it; an expected failure and a pass stay what they are."""
    assert conftest.refuse_skip(Report(skipped=True), ci=True).outcome == "failed"
    assert conftest.refuse_skip(Report(skipped=True), ci=False).outcome == "skipped"
    assert conftest.refuse_skip(Report(skipped=True, wasxfail="known"), ci=True).outcome == "skipped"
    assert conftest.refuse_skip(Report(skipped=False), ci=True).outcome == "passed"


class Item:
    """A collected coroutine test, as far as its runner looks at it."""

    def __init__(self, obj, **funcargs):
        self.obj, self.funcargs = obj, funcargs
        self._fixtureinfo = type("Info", (), {"argnames": tuple(funcargs)})


def test_a_coroutine_test_is_run_to_its_end_with_its_fixtures():
    """A coroutine that was only made would pass whatever it says; a plain function is left to pytest."""
    seen = []

    async def body(fixture):
        seen.append(fixture)

    assert conftest.pytest_pyfunc_call(Item(body, fixture=7)) is True
    assert seen == [7]
    assert conftest.pytest_pyfunc_call(Item(lambda: None)) is None
