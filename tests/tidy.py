"""What the tidy rules look for: pure functions from a file's text to what is wrong in it."""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple


class Finding(NamedTuple):
    """One thing wrong, and the line that shows it."""

    line: int
    words: str


Findings = Iterator[Finding]

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
FILE_BYTES_MAX = 512 * 1024
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}

CLOCKS = {
    "time": {
        *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"),
        *("process_time_ns", "thread_time", "thread_time_ns", "clock_gettime", "clock_gettime_ns"),
        *("localtime", "gmtime", "ctime", "strftime", "sleep"),
    },
    "datetime.datetime": {"now", "utcnow", "today"},
    "datetime.date": {"today"},
}
LOOPS = {"loop", "_loop", "get_running_loop", "get_event_loop"}

SET_CALLS = {"set", "frozenset"}
# What these give does not depend on the order in which they are given it.
ORDERLESS = {"sorted", "set", "frozenset", "len", "any", "all", "min", "max"}


@lru_cache(maxsize=512)
def tree_of(text: str) -> ast.Module:
    """Parse once, whatever the number of rules."""
    return ast.parse(text)


@lru_cache(maxsize=512)
def comments_of(text: str) -> tuple[tuple[int, str], ...]:
    """Give each comment of Python source with its line; a '#' inside a string is none."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return tuple((token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT)


def imports_of(text: str) -> list[tuple[int, str, bool]]:
    """List what is imported, wherever it stands: line, dotted name, and whether at the module's top level."""
    found = []
    tree = tree_of(text)
    inside = {id(inner) for outer in ast.walk(tree) if is_function(outer) for inner in ast.walk(outer)}
    for node in ast.walk(tree):
        top = id(node) not in inside
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [(node.lineno, f"{node.module}.{alias.name}", top) for alias in node.names]
        elif isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in {"import_module", "__import__"}:
            names = [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)]
            found += [(node.lineno, str(name), top) for name in names]
    return found


def is_function(node: ast.AST) -> bool:
    """Say whether this is a def, plain or async."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def dotted(node: ast.AST) -> str:
    """Write a name, an attribute or a call as the words it is made of: `asyncio.get_running_loop.time`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return dotted(node.func)
    return ""


def calls_of(text: str) -> Iterator[tuple[ast.Call, str]]:
    """Give every call with the dotted name of what is called."""
    for node in ast.walk(tree_of(text)):
        if isinstance(node, ast.Call):
            yield node, dotted(node.func)


def too_long(_path: str, text: str) -> Findings:
    """Find a file longer than a reader keeps in mind."""
    lines = text.count("\n")
    if lines > FILE_LINES_MAX:
        yield Finding(lines, f"{lines} lines, at most {FILE_LINES_MAX}")


def long_functions(_path: str, text: str) -> Findings:
    """Find functions longer than a page."""
    for node in ast.walk(tree_of(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield Finding(node.lineno, f"{node.name} has {lines} lines, at most {FUNCTION_LINES_MAX}")


def vague_names(path: str, _text: str) -> Findings:
    """Find modules and packages whose name is a thought not finished."""
    for part in PurePosixPath(path).with_suffix("").parts:
        if VAGUE_NAMES & set(part.split("_")):
            yield Finding(1, f"{part} says nothing about what is inside")


def clock_reads(_path: str, text: str) -> Findings:
    """Find every mention of a clock, called or handed on, under whatever name it was imported."""
    known = {}
    for node in ast.walk(tree_of(text)):
        if isinstance(node, ast.Import):
            known |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            if node.module == "time":
                bad = [alias.name for alias in node.names if alias.name in CLOCKS["time"]]
                yield from (Finding(node.lineno, f"imports time.{name}") for name in bad)
    for node in ast.walk(tree_of(text)):
        if isinstance(node, ast.Attribute):
            first, _, rest = dotted(node.value).partition(".")
            owner = ".".join(filter(None, (known.get(first, first), rest)))
            if first in known and node.attr in CLOCKS.get(owner, ()):
                yield Finding(node.lineno, f"reads {owner}.{node.attr}")
            elif node.attr == "time" and dotted(node.value).rpartition(".")[2] in LOOPS:
                yield Finding(node.lineno, "reads the loop's time")


def submits(_path: str, text: str) -> Findings:
    """Find where an order is built: there is one door."""
    for node, name in calls_of(text):
        if name.rpartition(".")[2] == "SubmitOrder":
            yield Finding(node.lineno, "builds SubmitOrder")


def imports_any(path: str, text: str, banned: set[str]) -> Findings:
    """Find imports of the banned modules and of what lies inside them."""
    for line, name, _top in imports_of(text):
        words = name.split(".")
        if any(".".join(words[:count]) in banned for count in range(1, len(words) + 1)):
            yield Finding(line, f"{path.partition('/')[0]} imports {name} here")


def beyond_stdlib(_path: str, text: str) -> Findings:
    """Find imports from outside the standard library."""
    for line, name, _top in imports_of(text):
        if name.partition(".")[0] not in sys.stdlib_module_names:
            yield Finding(line, f"imports {name}, outside the standard library")


def joectl_imports(path: str, text: str) -> Findings:
    """Find what joectl may not know; the libraries that draw are imported inside the verbs that draw."""
    draws = path in {"joectl/watch.py", "joectl/top.py"}
    for line, name, top in imports_of(text):
        root = name.partition(".")[0]
        if root in {"rich", "textual"}:
            if top and not draws:
                yield Finding(line, f"imports {root} for every verb")
        elif root == "joed":
            if name not in {"joed", "joed.__version__"} and not name.startswith("joed.protocol"):
                yield Finding(line, f"knows {name}")
        elif root not in {*sys.stdlib_module_names, "click", "joectl"}:
            yield Finding(line, f"imports {name}")


def dangers(_path: str, text: str) -> Findings:
    """Find what runs data as code."""
    yield from imports_any("this", text, {"pickle", "marshal", "shelve", "dill", "cloudpickle"})
    for node, name in calls_of(text):
        if name in {"eval", "exec", "compile", "os.system", "os.popen"}:
            yield Finding(node.lineno, f"calls {name}")
        for word in node.keywords:
            if word.arg == "shell" and isinstance(word.value, ast.Constant) and word.value.value:
                yield Finding(node.lineno, "starts a shell")


def touches_the_world(_path: str, text: str) -> Findings:
    """Find I/O that needs no import."""
    for node, name in calls_of(text):
        if name in {"open", "print", "input", "breakpoint", "__import__"}:
            yield Finding(node.lineno, f"calls {name}")


def set_order(_path: str, text: str) -> Findings:
    """Find iteration over what is plainly a set, unless the order cannot matter."""
    for scope in [tree_of(text), *filter(is_function, ast.walk(tree_of(text)))]:
        names = {
            target.id
            for node in own_nodes(scope)
            if isinstance(node, ast.Assign) and is_set(node.value, set())
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        free = {id(arg) for node in own_nodes(scope) for arg in orderless_arguments(node)}
        for node in own_nodes(scope):
            for iterated in iterated_by(node):
                if id(node) not in free and is_set(iterated, names):
                    yield Finding(iterated.lineno, "iterates over a set: sort it, or keep a dict")


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Walk a scope without the functions inside it."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        yield node
        if not is_function(node):
            waiting += ast.iter_child_nodes(node)


def orderless_arguments(node: ast.AST) -> list[ast.expr]:
    """Give what a call takes in whatever order: the generator inside `any(...)`."""
    return node.args if isinstance(node, ast.Call) and dotted(node.func) in ORDERLESS else []


def iterated_by(node: ast.AST) -> list[ast.expr]:
    """Give the expressions this node takes one by one, in their order."""
    if isinstance(node, ast.For | ast.AsyncFor):
        return [node.iter]
    if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp):
        return [part.iter for part in node.generators]
    if isinstance(node, ast.Call) and dotted(node.func) in {"list", "tuple", "enumerate", "iter", "next", "zip", "map"}:
        return node.args
    return []


def is_set(node: ast.expr, names: set[str]) -> bool:
    """Say whether this is a set as far as the text alone tells."""
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor):
        return is_set(node.left, names) or is_set(node.right, names)
    if isinstance(node, ast.Call):
        return dotted(node.func) in SET_CALLS
    return isinstance(node, ast.Name) and node.id in names


def async_code(_path: str, text: str) -> Findings:
    """Find coroutines."""
    for node in ast.walk(tree_of(text)):
        if isinstance(node, ast.AsyncFunctionDef):
            yield Finding(node.lineno, f"async def {node.name}")


def loose_tasks(_path: str, text: str) -> Findings:
    """Find tasks that belong to no TaskGroup."""
    for node, name in calls_of(text):
        if name in {"asyncio.create_task", "asyncio.ensure_future", "loop.create_task"}:
            yield Finding(node.lineno, f"{name}: let a TaskGroup own it")


def unbounded_queues(_path: str, text: str) -> Findings:
    """Find queues that grow until memory ends."""
    for node, name in calls_of(text):
        kind = name.rpartition(".")[2]
        sized = node.args or any(word.arg == "maxsize" for word in node.keywords)
        if kind == "SimpleQueue" or (kind in {"Queue", "LifoQueue", "PriorityQueue", "JoinableQueue"} and not sized):
            yield Finding(node.lineno, f"{kind} without a bound")


def left_overs(_path: str, text: str) -> Findings:
    """Find work put off in a comment: it belongs in an issue."""
    for line, comment in comments_of(text):
        if match := re.search(r"\b(TODO|FIXME|XXX|HACK)\b", comment):
            yield Finding(line, f"{match[0]} in a comment")


def unexplained(_path: str, text: str) -> Findings:
    """Find a silenced check without its reason, or without its code."""
    for line, comment in comments_of(text):
        for kind in re.findall(r"#\s*(ruff: noqa|noqa|type: ignore|pragma: no cover|fmt: off)", comment):
            said = re.search(re.escape(kind) + r"(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|\[[a-z, -]+\])?(?P<reason>.*)", comment)
            reason = re.findall(r"[A-Za-z']{2,}", re.sub(r"#\s*(noqa|type: ignore).*", "", said["reason"]))
            coded = said[1] or kind.startswith(("pragma", "fmt"))
            if not coded or len(reason) < 2:
                yield Finding(line, f"{kind} without {'a reason' if coded else 'a code'}")


def unexplained_settings(_path: str, text: str) -> Findings:
    """Find a rule that pyproject.toml switches off without a reason on its line, or on the line of its list."""
    section = ""
    for line, row in enumerate(text.splitlines(), start=1):
        if row.startswith("["):
            section = row.strip("[]")
        listed = section.startswith("tool.ruff.lint") and re.match(r'\s*("[^"]+" = \[)?\s*"[A-Z]+\d*"[,\]]', row)
        silenced = re.match(r"\s*(ignore_missing_imports|ignore_errors|disable_error_code|warn_unused_configs)\b", row)
        if (listed or silenced) and 'select = ["ALL"]' not in row and not re.search(r"# \w+", row):
            yield Finding(line, f"{row.strip()} has no reason")


def banners(path: str, text: str) -> Findings:
    """Find comments that draw lines."""
    rows = comments_of(text) if path.endswith(".py") else enumerate(text.splitlines(), start=1)
    for line, row in rows:
        if re.match(r"\s*#\s*([-=#*~_+─━═])\1{3,}", row) or re.match(r"\s*#.*\s([-=#*~_+─━═])\1{3,}\s*$", row):
            yield Finding(line, "a banner: the layout is the folders")


def asserts_off(_path: str, text: str) -> Findings:
    """Find runs of Python that leave the asserts out."""
    for line, row in enumerate(text.splitlines(), start=1):
        if re.search(r"python[\d.]*[\"']?,?(\s+[\"']?-\w+[\"']?,?)*\s+[\"']?-OO?\b|PYTHONOPTIMIZE\s*=", row):
            yield Finding(line, "runs without asserts")


def places(_path: str, text: str) -> Findings:
    """Find addresses of package registries, and paths that only one machine has."""
    hosts = [
        "pypi." + "org",
        "python" + "hosted",
        "registry." + "npmjs",
        "deb." + "debian.org",
    ]
    flags = ["--index-url", "--extra-index-url", "--find-links", "--trusted-host"]
    pattern = "|".join(map(re.escape, hosts)) + "|" + "|".join(rf"{flag}[ =]\S*[/:]" for flag in flags)
    pattern += r"|(?<![\w.}])/(work|root)/\w|/opt/py|/home/(?!user\b|joed\b)\w+/"
    for line, row in enumerate(text.splitlines(), start=1):
        if match := re.search(pattern, row):
            yield Finding(line, f"{match[0]} is of one machine only")


def unnamed_tests(_path: str, text: str) -> Findings:
    """Find test files without tests, and tests whose name is no sentence or that state no law."""
    tests = [node for node in ast.walk(tree_of(text)) if is_function(node) and node.name.startswith("test_")]
    machines = [node for node in ast.walk(tree_of(text)) if isinstance(node, ast.Attribute) and node.attr == "TestCase"]
    if not tests and not machines:
        yield Finding(1, "holds no test")
    for node in tests:
        if len(node.name.removeprefix("test_").split("_")) < 3:
            yield Finding(node.lineno, f"{node.name} is no sentence")
        if not ast.get_docstring(node):
            yield Finding(node.lineno, f"{node.name} states no law: it has no docstring")


def has_behaviour(text: str) -> bool:
    """Say whether a module defines any function: names and shapes alone have nothing to test."""
    return any(is_function(node) for node in ast.walk(tree_of(text)))


def mirror_of(path: str) -> str:
    """Name the test file of a module: joed/engine/step.py -> tests/engine/test_step.py."""
    module = PurePosixPath(path)
    parts = module.parts[1:-1] if module.parts[0] == "joed" else module.parts[:-1]
    return str(PurePosixPath("tests", *parts, f"test_{module.stem.strip('_')}.py"))
