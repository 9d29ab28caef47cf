"""Style is a test: short functions, names that say something, cores that only compute."""

import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.architecture import rules
from tests.architecture.rules import Finding, Source

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("benchmarks", "libs", "migrations", "services", "tests")
FUNCTION_LINES_P90_MAX = 25
CORE = "services/router/core/policy.py"
LONG = "def f():\n" + "    pass\n" * 50


@cache
def sources() -> tuple[Source, ...]:
    files = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    return tuple(Source.of(file.relative_to(ROOT).as_posix(), file.read_text()) for file in files)


@pytest.mark.parametrize("rule", rules.EVERYWHERE, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Callable[[Source], Iterator[Finding]]) -> None:
    broken = [f"{source.path}:{line}: {what}" for source in sources() for line, what in rule(source)]
    assert not broken, "\n" + "\n".join(broken)


def test_nine_functions_in_ten_are_short() -> None:
    written = (source for source in sources() if not source.is_migration)
    lengths = sorted(rules.line_count(function) for source in written for function in rules.functions(source))
    assert lengths[len(lengths) * 9 // 10] <= FUNCTION_LINES_P90_MAX


@pytest.mark.parametrize(
    ("rule", "path", "text", "breaks"),
    [
        (rules.files_are_short, "libs/a.py", "x = 1\n" * 400, False),
        (rules.files_are_short, "libs/a.py", "x = 1\n" * 401, True),
        (rules.functions_are_short, "libs/a.py", LONG.removesuffix("    pass\n"), False),
        (rules.functions_are_short, "libs/a.py", LONG, True),
        (rules.functions_are_short, "migrations/versions/a.py", LONG, False),
        (rules.names_say_something, "libs/a.py", "class Managers: ...", True),
        (rules.names_say_something, "libs/utils.py", "", True),
        (rules.names_say_something, "libs/a.py", "def util_of(): ...", True),
        (rules.names_say_something, "libs/a.py", "class Utilisation: ...\ndef utilisation(): ...", False),
        (rules.failures_are_named, "libs/a.py", "try: f()\nexcept Exception: pass", True),
        (rules.failures_are_named, "libs/a.py", "try: f()\nexcept (KeyError, BaseException): g()", True),
        (rules.failures_are_named, "libs/a.py", "try: f()\nexcept: pass", True),
        (rules.failures_are_named, "libs/a.py", "try: f()\nexcept Exception:  # outermost\n  pass", False),
        (rules.failures_are_named, "libs/a.py", "try: f()\nexcept BaseException:\n  g()\n  raise", False),
        (rules.failures_are_named, "services/a/__main__.py", "try: f()\nexcept Exception: pass", False),
        (rules.nothing_is_mocked, "tests/a.py", "from unittest.mock import Mock", True),
        (rules.nothing_is_mocked, "tests/a.py", "from unittest import mock", True),
        (rules.nothing_is_mocked, "tests/a.py", "def test(monkeypatch): monkeypatch.setattr(a, b, 1)", True),
        (rules.nothing_is_mocked, "tests/a.py", "def test(monkeypatch): monkeypatch.setenv('A', '1')", False),
        (rules.core_imports_only_what_computes, CORE, "import os", True),
        (rules.core_imports_only_what_computes, CORE, "from libs.common.log import Log", True),
        (rules.core_imports_only_what_computes, CORE, "from libs.common import clock", True),
        (rules.core_imports_only_what_computes, CORE, "from services.sla.core import clocks", True),
        (rules.core_imports_only_what_computes, CORE, "from urllib.request import urlopen", True),
        (rules.core_imports_only_what_computes, CORE, "import heapq\nfrom urllib.parse import quote", False),
        (rules.core_imports_only_what_computes, CORE, "from collections.abc import Iterable", False),
        (rules.core_imports_only_what_computes, CORE, "from libs.common.events import Event", False),
        (rules.core_imports_only_what_computes, CORE, "from services.router.core.state import Pool", False),
        (rules.core_imports_only_what_computes, "services/router/api.py", "import os", False),
        (rules.core_asks_no_clock_and_waits_for_nothing, CORE, "at = datetime.now(UTC)", True),
        (rules.core_asks_no_clock_and_waits_for_nothing, CORE, "async def decide(): ...", True),
        (rules.core_asks_no_clock_and_waits_for_nothing, CORE, "key = hash(contact)", True),
        (rules.core_asks_no_clock_and_waits_for_nothing, CORE, "at = state.now", False),
        (rules.core_compares_no_floats, CORE, "a / b == c", True),
        (rules.core_compares_no_floats, CORE, "a != 0.5", True),
        (rules.core_compares_no_floats, CORE, "a * d == b * c", False),
        (rules.core_order_is_no_accident, CORE, "for a in {1, 2}: f(a)", True),
        (rules.core_order_is_no_accident, CORE, "b = [a for a in set(c)]", True),
        (rules.core_order_is_no_accident, CORE, "b = list(c.keys() - d)", True),
        (rules.core_order_is_no_accident, CORE, "free: set[str] = f()\nfirst = next(iter(free))", True),
        (rules.core_order_is_no_accident, CORE, "def f(able: frozenset[str]): return min(able, key=g)", True),
        (rules.core_order_is_no_accident, CORE, "self.free = set()\nself.free.pop()", True),
        (rules.core_order_is_no_accident, CORE, "free: set[str] = f()\nfor a in sorted(free): g(a)", False),
        (rules.core_order_is_no_accident, CORE, "free: set[str] = f()\nb = any(g(a) for a in free)", False),
        (rules.core_order_is_no_accident, CORE, "able: dict[str, int] = f()\nfor a in able: g(a)", False),
    ],
)
def test_each_rule_can_fail(
    rule: Callable[[Source], Iterator[Finding]], path: str, text: str, breaks: bool
) -> None:
    assert bool(list(rule(Source.of(path, text)))) is breaks


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("this is no git work tree")
    return [file for name in listing.stdout.split("\0") if name and (file := ROOT / name).is_file()]


def test_no_tracked_file_knows_the_machine_it_was_written_on() -> None:
    named = [
        f"{file.relative_to(ROOT)}:{number}: {found.group()}"
        for file in tracked_files()
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1)
        if (found := rules.MACHINE_OR_REGISTRY.search(line))
    ]
    assert not named, "\n" + "\n".join(named)


@pytest.mark.parametrize(
    "line",
    ["cd /{}work/a", "HOME=/{}root", "https://py{}pi.org/simple", "--index{}-url x", "open /{}home/ann/a"],
)
def test_a_path_of_this_machine_is_seen(line: str) -> None:
    assert rules.MACHINE_OR_REGISTRY.search(line.format(""))


@pytest.mark.parametrize("line", ["GET /v1/work/1", "the root/leaf", "import work", "--no-emit-index-url"])
def test_a_path_of_the_product_is_none(line: str) -> None:
    assert not rules.MACHINE_OR_REGISTRY.search(line)
