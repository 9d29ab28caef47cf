"""The house rules that a machine can read off the syntax tree: each yields what it finds wrong, by line."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50

VAGUE_CLASS = re.compile(r"(Manager|Helper|Util)s?$")
VAGUE_NAME = re.compile(r"(^|_)(manager|helper|util)s?(_|$)")
OUTERMOST_LOOP = "# outermost"
BROAD = frozenset({"Exception", "BaseException"})

PURE_STDLIB = frozenset(
    "__future__ abc base64 binascii bisect collections contextlib copy dataclasses datetime decimal email "
    "enum fractions functools hashlib heapq hmac html ipaddress itertools json math numbers operator re "
    "statistics string struct textwrap types typing unicodedata urllib.parse zlib "
    "msgspec".split()  # no library of Python's own, yet as pure: what entities and events are made of
)
PURE_OURS = ("libs.common.core", "libs.common.events", "libs.common.promises")
CLOCKS = frozenset({"now", "today", "utcnow"})
IMPURE_CALLS = frozenset({"hash", "id", "input", "open", "print"})

SET_METHODS = frozenset({"difference", "intersection", "symmetric_difference", "union"})
SET_OPERATORS = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Sub)
TAKES_ORDER = frozenset({"dict", "enumerate", "iter", "list", "map", "max", "min", "next", "tuple", "zip"})
LOSES_ORDER = frozenset({"all", "any", "frozenset", "len", "set", "sorted", "sum"})

# Written so that this file doesn't find itself.
MACHINE_OR_REGISTRY = re.compile(
    r"(?<![\w.~})*/<-])/(work/|root\b|home/\w+/)"
    r"|py[p]i\.org|python[h]osted\.org|crates[.]io|registry\.np[m]js|repo1?\.maven\.|proxy\.gola[n]g"
    r"|(?<!no-emit)--?(extra-)?index[-]url|--find[-]links|deb\.debia[n]\.org"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Finding = tuple[int, str]


@dataclass(frozen=True)
class Source:
    path: str  # from the repository's root
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> "Source":
        return cls(path, text, ast.parse(text, path))

    @property
    def is_core(self) -> bool:
        return re.match(r"services/\w+/core/", self.path) is not None

    @property
    def is_migration(self) -> bool:
        """A list of tables and columns, as long as they are many."""
        return self.path.startswith("migrations/versions/")


def functions(source: Source) -> Iterator[Function]:
    return (node for node in ast.walk(source.tree) if isinstance(node, Function))


def line_count(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def called_name(call: ast.AST) -> str:
    """`f` of `f(…)`, `g` of `x.g(…)`, else nothing."""
    if not isinstance(call, ast.Call):
        return ""
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def imports(source: Source) -> Iterator[tuple[int, str]]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def files_are_short(source: Source) -> Iterator[Finding]:
    if source.text.count("\n") > FILE_LINES_MAX:
        yield FILE_LINES_MAX, f"a file has at most {FILE_LINES_MAX} lines"


def functions_are_short(source: Source) -> Iterator[Finding]:
    for function in () if source.is_migration else functions(source):
        if line_count(function) > FUNCTION_LINES_MAX:
            yield function.lineno, f"{function.name} has more than {FUNCTION_LINES_MAX} lines"


def names_say_something(source: Source) -> Iterator[Finding]:
    for part in source.path.removesuffix(".py").split("/"):
        if VAGUE_NAME.search(part):
            yield 1, f"{part} says nothing"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and VAGUE_CLASS.search(node.name):
            yield node.lineno, f"{node.name} says nothing"
    for function in functions(source):
        if VAGUE_NAME.search(function.name):
            yield function.lineno, f"{function.name} says nothing"


def failures_are_named(source: Source) -> Iterator[Finding]:
    """`except Exception` is for a process's outermost loop; a handler that raises again is no end of it."""
    lines = source.text.splitlines()
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler) or source.path.endswith("/__main__.py"):
            continue
        raises_again = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
        if is_broad(node) and not raises_again and OUTERMOST_LOOP not in lines[node.lineno - 1]:
            yield node.lineno, "name the failure that is expected here"


def is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(isinstance(part, ast.Name) and part.id in BROAD for part in ast.walk(handler.type))


def nothing_is_mocked(source: Source) -> Iterator[Finding]:
    for line, name in imports(source):
        if name.startswith(("unittest.mock", "mock.", "pytest_mock")):
            yield line, "a fake is a small real implementation, not a mock"
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(value=ast.Name(id="monkeypatch"), attr="setattr" | "setitem" | "delattr"):
                yield node.lineno, "inject what the test needs; patch nothing"


def core_imports_only_what_computes(source: Source) -> Iterator[Finding]:
    if not source.is_core:
        return
    own = ".".join(source.path.split("/")[:3])
    for line, name in imports(source):
        pure = {name, name.rpartition(".")[0], name.partition(".")[0]} & PURE_STDLIB
        if not pure and not any(f"{name}.".startswith(f"{allowed}.") for allowed in (*PURE_OURS, own)):
            yield line, f"a core computes: it does not import {name}"


def core_asks_no_clock_and_waits_for_nothing(source: Source) -> Iterator[Finding]:
    if not source.is_core:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield node.lineno, "a core computes: shells wait"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
            yield node.lineno, "time arrives in the event"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            yield node.lineno, f"{node.func.id}() differs from run to run, or does I/O"


def core_compares_no_floats(source: Source) -> Iterator[Finding]:
    if not source.is_core:
        return
    for node in ast.walk(source.tree):
        match node:
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[right]):
                if is_float(left) or is_float(right):
                    yield node.lineno, "floats are never equal: count in integers"


def is_float(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Div) or is_float(node.left) or is_float(node.right)
    return called_name(node) == "float" or (isinstance(node, ast.Constant) and isinstance(node.value, float))


def core_order_is_no_accident(source: Source) -> Iterator[Finding]:
    """A set is asked, counted or sorted, never walked: its order depends on hashes."""
    if not source.is_core:
        return
    sets = set_names(source.tree)
    nodes = list(ast.walk(source.tree))
    calls = (node for node in nodes if isinstance(node, ast.Call) and called_name(node) in LOSES_ORDER)
    harmless = {id(argument) for call in calls for argument in call.args}
    for node in nodes:
        if id(node) in harmless or isinstance(node, ast.SetComp):
            continue
        for walked in walked_by(node):
            if is_set(walked, sets):
                yield walked.lineno, f"sort this set before walking it: {ast.unparse(walked)}"


def walked_by(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.For(iter=walked) | ast.Starred(value=walked) | ast.YieldFrom(value=walked):
            return [walked]
        case ast.ListComp() | ast.GeneratorExp() | ast.DictComp():
            return [generator.iter for generator in node.generators]
        case ast.Call(func=ast.Attribute(attr="join" | "extend")):
            return node.args
        case ast.Call(func=ast.Name(id=name)) if name in TAKES_ORDER:
            return node.args
        case ast.Call(func=ast.Attribute(attr="pop", value=popped), args=[]):
            return [popped]
    return []


def set_names(tree: ast.AST) -> frozenset[str]:
    """Variables, parameters and fields that this file declares as sets or assigns one to."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(target=target, annotation=kind) if is_set_type(kind):
                names.add(last_name(target))
            case ast.arg(arg=name, annotation=ast.expr() as kind) if is_set_type(kind):
                names.add(name)
            case ast.Assign(targets=[target], value=value) if is_set(value, frozenset()):
                names.add(last_name(target))
    return frozenset(names - {""})


def is_set_type(annotation: ast.expr) -> bool:
    return re.match(r"(set|frozenset|(Abstract|Mutable)?Set)\b", ast.unparse(annotation)) is not None


def last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def is_set(node: ast.expr, names: frozenset[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call():
            return called_name(node) in {"set", "frozenset"} | SET_METHODS
        case ast.BinOp(left=left, op=operator, right=right) if isinstance(operator, SET_OPERATORS):
            sides = (left, right)
            return any(is_set(side, names) or called_name(side) == "keys" for side in sides)
    return last_name(node) in names


EVERYWHERE: tuple[Callable[[Source], Iterator[Finding]], ...] = (
    files_are_short,
    functions_are_short,
    names_say_something,
    failures_are_named,
    nothing_is_mocked,
    core_imports_only_what_computes,
    core_asks_no_clock_and_waits_for_nothing,
    core_compares_no_floats,
    core_order_is_no_accident,
)
