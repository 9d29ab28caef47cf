"""Open time over a table, against counting it second by second."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sla.core.clocks import NEVER, Table, after_open_time, open_time
from services.sla.core.ladder import moments
from tests.unit.sla.driver import ladder

OFFICE = ((10, 20), (30, 40), (40, 45), (60, 61))


@pytest.mark.parametrize(
    ("rule", "table", "start", "span", "due"),
    [
        ("always open", None, 5, 10, 15),
        ("inside an interval", OFFICE, 12, 3, 15),
        ("waits for the opening", OFFICE, 0, 3, 13),
        ("a gap is no time", OFFICE, 18, 5, 33),
        ("the end of an interval is in it", OFFICE, 10, 10, 20),
        ("the next one begins after it", OFFICE, 10, 11, 31),
        ("adjacent intervals are one", OFFICE, 35, 10, 45),
        ("starting at the close", OFFICE, 20, 1, 31),
        ("no time is now, open or not", OFFICE, 25, 0, 25),
        ("beyond the table is never", OFFICE, 10, 27, NEVER),
        ("an empty table never opens", (), 10, 1, NEVER),
    ],
)
def test_after_open_time(rule: str, table: Table, start: int, span: int, due: int) -> None:
    assert after_open_time(table, start, span) == due, rule


tables = st.lists(st.integers(0, 60), min_size=2, max_size=12, unique=True).map(
    lambda edges: tuple(pair for index, pair in enumerate(pairwise(sorted(edges))) if index % 2 == 0)
)


@given(tables, st.integers(0, 60), st.integers(0, 60))
def test_open_time_counts_every_second(table: Table, start: int, end: int) -> None:
    counted = sum(any(a <= second < b for a, b in table or ()) for second in range(start, end))
    assert open_time(table, start, end) == counted


@given(tables, st.integers(0, 60), st.integers(1, 60))
def test_due_is_the_first_instant_with_that_much_open_time(table: Table, start: int, span: int) -> None:
    due = after_open_time(table, start, span)
    if due == NEVER:
        assert open_time(table, start, NEVER) < span
    else:
        assert open_time(table, start, due) == span
        assert open_time(table, start, due - 1) == span - 1


def test_the_order_of_a_ladder() -> None:
    order = [(moment.kind, moment.share) for moment in moments((0.5, 1.0), ladder(0.5, 1.0, 1.0, 2.0))]
    assert order == [
        ("warning", 500),
        ("step", 500),
        ("warning", 1000),
        ("breach", 1000),
        ("step", 1000),
        ("step", 1000),
        ("step", 2000),
    ]
