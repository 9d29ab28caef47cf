"""Crash points: a process dies at exactly the passing it was told, and otherwise never."""

import os
import signal
import subprocess
import sys

import pytest

from libs.common import crash

PROGRAM = """
from libs.common import crash
for passing in range(1, 4):
    crash.reached("owner.begun")
    crash.reached("owner.acked")
    print(passing, flush=True)
"""


def run(order: str | None) -> tuple[int, str]:
    others = {name: value for name, value in os.environ.items() if name != crash.VARIABLE}
    ordered = {} if order is None else {crash.VARIABLE: order}
    program = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(program, env=others | ordered, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize(("order", "code", "said"), [
    (None, 0, "1\n2\n3\n"),
    ("owner.acked", -signal.SIGKILL, ""),
    ("owner.acked:3", -signal.SIGKILL, "1\n2\n"),
    ("owner.acked:4", 0, "1\n2\n3\n"),
    ("worker.restoring:1", 0, "1\n2\n3\n"),
])  # fmt: skip
def test_it_dies_where_it_was_told(order: str | None, code: int, said: str) -> None:
    assert run(order) == (code, said)


def test_a_point_that_is_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        crash.armed("owner.nowhere:1")


def test_without_an_order_a_point_is_an_empty_function() -> None:
    assert crash.VARIABLE in os.environ or crash.reached is crash.pass_by
