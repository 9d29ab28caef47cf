"""Arithmetic over business calendars, in integer microseconds.

A calendar is a table of open intervals [from, to) in UTC, ascending and disjoint; None is the calendar `always`.
What lies outside the table counts as closed, so nothing is ever due early: an instant that the table doesn't reach
is `NEVER`, until the calendar is compiled further ahead.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

Interval = tuple[int, int]
Table = tuple[Interval, ...] | None

NEVER: Final = 253_402_300_799_000_000
"""The end of the year 9999: what a date on the wire can still say."""


def after_open_time(table: Table, start: int, span: int) -> int:
    """The earliest instant at which `span` microseconds of open time have passed since `start`."""
    if table is None or span <= 0:
        return start + max(0, span)
    for opens, closes in table[_first_ending_after(table, start) :]:
        opened = max(opens, start)
        if span <= closes - opened:
            return opened + span
        span -= closes - opened
    return NEVER


def open_time(table: Table, start: int, end: int) -> int:
    """Microseconds of open time between two instants; 0 when they are in the wrong order."""
    if end <= start:
        return 0
    if table is None:
        return end - start
    total = 0
    for opens, closes in table[_first_ending_after(table, start) :]:
        if opens >= end:
            break
        total += min(closes, end) - max(opens, start)
    return total


def with_past(table: tuple[Interval, ...], past: tuple[Interval, ...], start: int, end: int) -> tuple[Interval, ...]:
    """`table`, which says all from `end` on, after the intervals of `past` that reach beyond `start`, up to `end`."""
    kept = [(opens, min(closes, end)) for opens, closes in past if closes > start and opens < end]
    if kept and table and kept[-1][1] == table[0][0]:
        table = (kept.pop()[0], table[0][1]), *table[1:]
    return *kept, *table


def _first_ending_after(table: tuple[tuple[int, int], ...], instant: int) -> int:
    """The index of the first interval whose end is after `instant`."""
    return bisect_right(table, instant, key=lambda interval: interval[1])
