"""Named places in the code at which a test kills the process: no warning, nothing tidied up.

`OMNIROUTE_TEST_CRASH=owner.acked:3` ends the process by SIGKILL when it passes `owner.acked` for the third time.
Without that variable a place costs a call of a function that does nothing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Final, Literal, get_args

VARIABLE: Final = "OMNIROUTE_TEST_CRASH"

Point = Literal[
    "owner.begun",  # Kafka: the transaction has begun, nothing is sent
    "owner.acked",  # Kafka: everything is acknowledged, the transaction isn't ended
    "owner.committed",  # Kafka: committed, and nobody here knows it yet
    "log.appended",  # Kafka: appended outside transactions, before its caller is told
    "tick.written",  # PostgreSQL: everything is written inside the SQL transaction
    "tick.committed",  # PostgreSQL: committed, before anybody is answered or shown the records
    "worker.restoring",  # the state topic is read, the machine isn't loaded
    "worker.committed",  # the batch is committed, before its commands are answered
]
POINTS: Final[tuple[Point, ...]] = get_args(Point)


def pass_by(point: Point) -> None:
    """What `reached` is in production."""


def armed(order: str) -> Callable[[Point], None]:
    """`point` or `point:n`. Raises ValueError for a point there isn't."""
    name, _, passing = order.partition(":")
    if name not in POINTS:
        raise ValueError(f"{VARIABLE}: there is no point {name!r}")
    left = int(passing or 1)

    def pass_or_die(point: Point) -> None:
        nonlocal left
        if point != name:
            return
        left -= 1
        if left <= 0:
            os.write(2, f"crash: {order}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    return pass_or_die


reached: Final[Callable[[Point], None]] = armed(os.environ[VARIABLE]) if VARIABLE in os.environ else pass_by
"""Call it where a death would be at its worst."""
