"""Opening hours become open intervals in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from libs.common.calendars import DAY, Hours, Table, between, compile_hours, outdated
from libs.common.errors import Invalid, NotSupported
from libs.common.events.codec import instant, rfc3339

NOW = instant("2026-11-22T09:00:00Z")


def opened_on(table: Table, day: str) -> list[str]:
    """The intervals of a UTC day as `08:00-12:00`."""
    start = instant(f"{day}T00:00:00Z")
    return [f"{rfc3339(a)[11:16]}-{rfc3339(b)[11:16]}" for a, b in between(table, start, start + DAY)]


ROME = "Europe/Rome"
EVERY_HALF_HOUR = "Mo-Su " + ",".join(f"{hour:02}:00-{hour:02}:30" for hour in range(24))


@pytest.mark.parametrize(
    ("rule", "hours", "day", "opens"),
    [
        ("hours are local", Hours("Mo-Fr 09:00-18:00", ROME), "2026-11-23", ["08:00-17:00"]),
        ("and follow summer time", Hours("Mo-Fr 09:00-18:00", ROME), "2027-07-05", ["07:00-16:00"]),
        ("a break is a gap", Hours("Mo 09:00-13:00,14:00-18:00"), "2026-11-23", ["09:00-13:00", "14:00-18:00"]),
        ("closed is closed", Hours("Mo-Fr 09:00-18:00"), "2026-11-22", []),
        ("a holiday closes", Hours("Mo-Su 09:00-18:00; PH off", ROME, "IT"), "2026-12-25", []),
        ("Italy's fourth of October too", Hours("Mo-Su 09:00-18:00; PH off", ROME, "IT"), "2027-10-04", []),
        ("a region's own", Hours("Mo-Su 09:00-18:00; PH off", ROME, "IT", "MI"), "2026-12-07", []),
        ("not elsewhere", Hours("Mo-Su 09:00-18:00; PH off", ROME, "IT"), "2026-12-07", ["08:00-17:00"]),
        ("a holiday has hours", Hours("Mo-Su 09:00-18:00; PH 10:00-12:00", "UTC", "IT"), "2026-12-25", ["10:00-12:00"]),
        ("or two", Hours("PH 10:00-12:00, 14:00-15:00", "UTC", "IT"), "2026-12-25", ["10:00-12:00", "14:00-15:00"]),
        ("or is closed", Hours("Mo-Su 09:00-18:00; PH closed", ROME, "IT"), "2026-12-25", []),
        ("in a list of days", Hours("Mo-Su 09:00-18:00; Su,PH off", "UTC", "IT"), "2026-12-25", []),
        ("the list's days too", Hours("Mo-Su 09:00-18:00; Su,PH off", "UTC", "IT"), "2026-11-29", []),
        ("over midnight", Hours("Mo 22:00-02:00"), "2026-11-24", ["00:00-02:00"]),
        ("always", Hours("24/7"), "2026-11-24", ["00:00-00:00"]),
    ],
)
def test_hours(rule: str, hours: Hours, day: str, opens: list[str]) -> None:
    assert opened_on(compile_hours(hours, NOW), day) == opens, rule


@pytest.mark.parametrize(
    ("rule", "hours", "pointer", "refusal"),
    [
        ("must parse", Hours("24/24"), "/hours", Invalid),
        ("no free text", Hours('Mo 09:00-10:00 "ask Mario"'), "/hours", NotSupported),
        ("no school holidays", Hours("Mo 09:00-10:00; SH off"), "/hours", NotSupported),
        ("no sun", Hours("sunrise-sunset"), "/hours", NotSupported),
        ("no odd place for PH", Hours("Jan-Mar PH off", "UTC", "IT"), "/hours", NotSupported),
        ("no day beside a holiday", Hours("Mo-Su 09:00-18:00; PH +1 day off", "UTC", "IT"), "/hours", NotSupported),
        ("nor before one", Hours("Mo-Su 09:00-18:00; PH -1 day off", "UTC", "IT"), "/hours", NotSupported),
        ("nor in a list", Hours("Mo-Su 09:00-18:00; Su,PH +1 day 10:00-12:00", "UTC", "IT"), "/hours", NotSupported),
        ("PH needs a country", Hours("Mo 09:00-10:00; PH off"), "/country", Invalid),
        ("a known country", Hours("24/7", "UTC", "XX"), "/country", Invalid),
        ("a known region", Hours("24/7", "UTC", "IT", "ZZ"), "/subdivision", Invalid),
        ("a region has a country", Hours("24/7", "UTC", None, "MI"), "/subdivision", Invalid),
        ("a known zone", Hours("24/7", "Mars/Base"), "/timezone", Invalid),
        ("no path as a zone", Hours("24/7", "../../etc/passwd"), "/timezone", Invalid),
        ("a bound on the text", Hours("Mo 09:00-10:00;" * 50), "/hours", Invalid),
        ("a bound on the intervals", Hours(EVERY_HALF_HOUR), "/hours", Invalid),
    ],
)
def test_refused_hours(rule: str, hours: Hours, pointer: str, refusal: type[Invalid]) -> None:
    with pytest.raises(refusal) as refused:
        compile_hours(hours, NOW)
    assert refused.value.errors[0].pointer == pointer, rule


@pytest.mark.parametrize("zone", [ROME, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
@pytest.mark.parametrize("hours", ["Mo-Su 01:30-02:30,02:45-05:00", "Mo-Su 22:00-03:00", "24/7"])
def test_a_table_is_ascending_and_disjoint(zone: str, hours: str) -> None:
    table = compile_hours(Hours(hours, zone), NOW)
    edges = [edge for interval in table for edge in interval]
    assert edges == sorted(set(edges))
    assert edges[-1] > NOW + 398 * DAY


def test_a_table_is_compiled_again_when_it_gets_short_or_wrong() -> None:
    hours = Hours("Mo-Fr 09:00-18:00; PH off", ROME, "IT")
    table = compile_hours(hours, NOW)
    in_a_month, in_two = NOW + 30 * DAY, NOW + 60 * DAY
    assert not outdated(table, compile_hours(hours, in_a_month), in_a_month)
    assert outdated(table, compile_hours(hours, in_two), in_two)
    assert outdated(table[:-200], table, NOW)


def test_the_window_is_the_same_all_day() -> None:
    late = instant(datetime(2026, 11, 22, 23, 59, tzinfo=UTC).isoformat())
    assert compile_hours(Hours("24/7"), NOW) == compile_hours(Hours("24/7"), late)
