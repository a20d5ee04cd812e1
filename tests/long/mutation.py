"""Mutants: every small wrong change of a module's source, and how one is planted into the running module.

A function's new code takes the place of the old in the function itself, so that whoever imported it has the mutant;
a table is changed in place, and any other name of the module's top level wherever it was imported.
"""

import ast
import copy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import NamedTuple


class Mutant(NamedTuple):
    """One change: its line, its kind, what it says before and after, and the number by which it is found again.

    `inside` says whether it lies in a function.
    """

    number: int
    line: int
    kind: str
    words: str
    inside: bool


EDGES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
SUMS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
PAIRS = {"min": "max", "max": "min", "any": "all", "all": "any", "floor_to": "ceil_to", "ceil_to": "floor_to"}
DROPPED = ast.Assign | ast.AugAssign | ast.Expr | ast.Delete | ast.Continue | ast.Break

Change = tuple[str, Callable[[ast.AST], ast.AST | None]]


def changes(node: ast.AST) -> Iterator[Change]:
    """Give every change of one node: its kind, and what puts another node in its place (None: keep it, changed)."""
    for kind, types, find in FINDERS:
        if isinstance(node, types):
            yield from ((kind, change) for change in find(node))


def edges(node: ast.Compare) -> Iterator[Callable[[ast.Compare], None]]:
    """Move a comparison's edge, or turn it round."""
    for index, op in enumerate(node.ops):
        if type(op) in EDGES:
            yield lambda node, index=index: node.ops.__setitem__(index, EDGES[type(node.ops[index])]())


def sums(node: ast.BinOp | ast.AugAssign) -> Iterator[Callable[[ast.BinOp], None]]:
    """Put one operation in another's place."""
    if type(node.op) in SUMS:
        yield lambda node: setattr(node, "op", SUMS[type(node.op)]())


def joints(node: ast.BoolOp) -> Iterator[Callable[[ast.BoolOp], None]]:
    """Swap `and` and `or`; leave one of their sides out."""
    yield lambda node: setattr(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
    for index in range(len(node.values)):
        yield lambda node, index=index: node.values.pop(index) and None


def turns(node: ast.If | ast.IfExp | ast.While) -> Iterator[Callable[[ast.If], None]]:
    """Turn a condition round."""
    yield lambda node: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))


def nots(node: ast.UnaryOp) -> Iterator[Callable[[ast.UnaryOp], ast.expr]]:
    """Take a `not` or a minus away."""
    yield lambda node: node.operand


def constants(node: ast.Constant) -> Iterator[Callable[[ast.Constant], None]]:
    """Let a number be off by one, a flag be the other."""
    if isinstance(node.value, bool):
        yield lambda node: setattr(node, "value", not node.value)
    elif isinstance(node.value, int | float):
        yield lambda node: setattr(node, "value", node.value + 1)


def returns(node: ast.Return) -> Iterator[Callable[[ast.Return], None]]:
    """Give nothing back: no words where there are some, else None."""
    if isinstance(node.value, ast.Constant) or node.value is None:
        return
    texts = [one for one in ast.walk(node.value) if isinstance(one, ast.JoinedStr)]
    yield lambda node: setattr(node, "value", ast.Constant("" if texts else None))


def calls(node: ast.Call) -> Iterator[Callable[[ast.Call], None]]:
    """Call the opposite function."""
    if isinstance(node.func, ast.Name) and node.func.id in PAIRS:
        yield lambda node: setattr(node.func, "id", PAIRS[node.func.id])


def drops(node: ast.stmt) -> Iterator[Callable[[ast.stmt], ast.stmt]]:
    """Leave a statement out; a docstring is none."""
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        yield lambda node: ast.Pass()


FINDERS = (
    ("edge", ast.Compare, edges),
    ("sum", ast.BinOp | ast.AugAssign, sums),
    ("joint", ast.BoolOp, joints),
    ("condition", ast.If | ast.IfExp | ast.While, turns),
    ("sign", ast.UnaryOp, nots),
    ("constant", ast.Constant, constants),
    ("return", ast.Return, returns),
    ("call", ast.Call, calls),
    ("statement", DROPPED, drops),
)
"""Every kind of change, and where it applies."""


def mutants_of(source: str) -> list[Mutant]:
    """List all mutants of a module, without planting any."""
    tree = ast.parse(source)
    found = []
    for number, (node, kind, change, inside) in enumerate(places(tree)):
        before = ast.unparse(node)
        mutated = apply(copy.deepcopy(node), change)
        words = f"{shortened(before)}  ->  {shortened(ast.unparse(mutated))}"
        found.append(Mutant(number, node.lineno, kind, words, inside))
    return found


def places(tree: ast.Module) -> Iterator[tuple[ast.AST, str, Callable[[ast.AST], ast.AST | None], bool]]:
    """Give each node with each change of it, in a fixed order; annotations, words and imports are left alone."""
    for top in tree.body:
        if isinstance(top, ast.Import | ast.ImportFrom):
            continue
        inside = isinstance(top, ast.FunctionDef | ast.ClassDef)
        for node in code_of(top):
            if not inside and isinstance(node, ast.stmt):
                continue  # a name of the top level that is gone is no mistake that anybody makes unnoticed
            for kind, change in changes(node):
                yield node, kind, change, inside


def code_of(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what is executed: no annotation, no default, no decorator, no word that a person reads."""
    skipped = (
        {"annotation", "returns", "decorator_list", "args", "bases", "keywords"}
        if not isinstance(node, ast.Call)
        else set()
    )
    if isinstance(node, ast.JoinedStr | ast.Raise | ast.Assert):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in skipped:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from code_of(child)


def apply(node: ast.AST, change: Callable[[ast.AST], ast.AST | None]) -> ast.AST:
    """Change a node; give what stands in its place."""
    other = change(node)
    return node if other is None else ast.copy_location(other, node)


def shortened(text: str) -> str:
    """Keep to one line that a person reads."""
    line = " ".join(text.split())
    return line if len(line) <= 90 else f"{line[:87]}..."


class Planter(ast.NodeTransformer):
    """Puts one node in another's place."""

    def __init__(self, node: ast.AST, other: ast.AST) -> None:
        self.node, self.other = node, other

    def visit(self, node: ast.AST) -> ast.AST:
        """Replace the node; look further elsewhere."""
        return self.other if node is self.node else super().generic_visit(node)


def mutated(source: str, number: int) -> ast.Module:
    """Give a module's tree with one of its mutants in it."""
    tree = ast.parse(source)
    node, _, change, _ = list(places(tree))[number]
    other = apply(copy.copy(node) if isinstance(node, ast.stmt) else node, change)
    return ast.fix_missing_locations(Planter(node, other).visit(tree))


def plant(path: str, mutant: Mutant) -> None:
    """Let the module that is loaded from this path be the mutant, for everybody who imported of it."""
    module = sys.modules[path.removesuffix(".py").replace("/", ".")]
    source = Path(path).read_text()
    other = ModuleType(module.__name__)
    code = compile(mutated(source, mutant.number), path, "exec")
    exec(code, other.__dict__)  # noqa: S102 - our own source, one node of it changed
    for name, value in vars(other).items():
        before = vars(module).get(name)
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            before.__code__ = value.__code__
        elif isinstance(value, type) and value.__module__ == module.__name__:
            replace_methods(before, value)
        elif not mutant.inside and not name.startswith("__") and value != before:
            replace_value(name, before, value)


def replace_methods(before: type, after: type) -> None:
    """Give a class the methods of another."""
    for name, method in vars(after).items():
        old = vars(before).get(name)
        new = method.fget if isinstance(method, property) else method
        old = old.fget if isinstance(old, property) else old
        if isinstance(new, FunctionType) and isinstance(old, FunctionType):
            old.__code__ = new.__code__


def replace_value(name: str, before: object, after: object) -> None:
    """Change a table in place; put another value wherever the old one was imported."""
    if isinstance(before, dict):
        before.clear()
        before.update(after)
        return
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith(("joed.", "tests.")) and vars(module).get(name) is before:
            setattr(module, name, after)
