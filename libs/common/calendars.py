"""Opening hours → a table of open intervals in UTC, 35 days back and 400 days ahead.

Hours are in the syntax of OpenStreetMap. Public holidays (`PH`) come from the `holidays` package, which knows the
regions too: `PH` is rewritten into dates before the hours are parsed. What an intake can't mean is refused aloud:
comments (free text would go on the log), school holidays and the sun (no place is known).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import holidays
from opening_hours import OpeningHours, State, validate

from libs.common.errors import FieldError, Invalid, NotSupported
from libs.common.events import SECOND
from libs.common.events.codec import EPOCH

DAYS_BACK: Final = 35
DAYS_AHEAD: Final = 400
DAYS_KEPT_AHEAD: Final = 365
"""A table that reaches less far is compiled again."""
HOURS_CHARACTERS_MAX: Final = 500
INTERVALS_MAX: Final = 5_000
"""Of one table."""
DAY: Final = 86_400 * SECOND

Table = tuple[tuple[int, int], ...]

_DAY = r"(?:Mo|Tu|We|Th|Fr|Sa|Su)(?:-(?:Mo|Tu|We|Th|Fr|Sa|Su))?"
_TIMES = r"\d{1,2}:\d\d(?:-\d{1,2}:\d\d)?\+?"
_OPEN_OR_NOT = rf"(?:\s+{_TIMES}(?:\s*,\s*{_TIMES})*)?(?:\s+(?i:off|closed|open))?"
_WITH_HOLIDAYS: Final = re.compile(rf"(?P<before>(?:{_DAY},)*)PH(?P<after>(?:,{_DAY})*)(?P<rest>{_OPEN_OR_NOT})")
_UNSUPPORTED: Final = re.compile(r"\bSH\b|sunrise|sunset|dawn|dusk|easter|unknown|\|\|", re.IGNORECASE)


class Hours(NamedTuple):
    """What a table is compiled from. `country` is ISO 3166-1, `subdivision` one of its regions."""

    hours: str
    timezone: str = "UTC"
    country: str | None = None
    subdivision: str | None = None


def compile_hours(hours: Hours, now: int) -> Table:
    """The open intervals around `now` (microseconds). Raises Invalid or NotSupported, naming the field."""
    check_place(hours)
    parsed = parse(hours, now)
    first, last = window(now)
    zone = ZoneInfo(hours.timezone)
    start = (EPOCH + timedelta(microseconds=first)).astimezone(zone)
    end = (EPOCH + timedelta(microseconds=last)).astimezone(zone)
    found: list[tuple[int, int]] = []
    for opens, closes, state, _ in parsed.intervals(start, end):
        if state == State.OPEN:
            add(found, max(_instant(opens), first), min(_instant(closes), last))
        if len(found) > INTERVALS_MAX:
            raise Invalid(errors=[FieldError("/hours", f"open more than {INTERVALS_MAX} times")])
    return tuple(found)


def add(found: list[tuple[int, int]], opens: int, closes: int) -> None:
    """Keep the table ascending and disjoint, whatever the change of the clocks does to an interval."""
    if found and opens <= found[-1][1]:
        opens, closes = found[-1][0], max(closes, found.pop()[1])
    if closes > opens:
        found.append((opens, closes))


def window(now: int) -> tuple[int, int]:
    """From midnight to midnight UTC, so that a day's compilations agree."""
    today = now // DAY * DAY
    return today - DAYS_BACK * DAY, today + DAYS_AHEAD * DAY


def outdated(table: Table, compiled: Table, now: int) -> bool:
    """Whether a stored table says something else than it would today about the year that comes."""
    until = now + DAYS_KEPT_AHEAD * DAY
    return between(table, now, until) != between(compiled, now, until)


def between(table: Table, start: int, end: int) -> Table:
    clipped = ((max(opens, start), min(closes, end)) for opens, closes in table)
    return tuple((opens, closes) for opens, closes in clipped if opens < closes)


# -- what is accepted ----------------------------------------------------------------------------------------------


def check_place(hours: Hours) -> None:
    """Raises Invalid for a time zone, country or region that nobody knows."""
    if hours.timezone not in known_timezones():
        raise Invalid(errors=[FieldError("/timezone", "is no time zone of the IANA database")])
    regions = known_countries()
    if hours.country is not None and hours.country not in regions:
        raise Invalid(errors=[FieldError("/country", "is no country whose holidays are known")])
    if hours.subdivision is not None and hours.subdivision not in regions.get(hours.country or "", ()):
        raise Invalid(errors=[FieldError("/subdivision", "is no region of the country whose holidays are known")])


@cache
def known_timezones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def known_countries() -> dict[str, frozenset[str]]:
    """Country → its regions."""
    return {country: frozenset(regions) for country, regions in holidays.list_supported_countries().items()}


def parse(hours: Hours, now: int) -> OpeningHours:
    """Raises Invalid for what is no hours, NotSupported for hours that we can't compile."""
    text = hours.hours.strip()
    if len(text) > HOURS_CHARACTERS_MAX or not text.isascii() or not text.isprintable():
        raise Invalid(errors=[FieldError("/hours", f"at most {HOURS_CHARACTERS_MAX} printable ASCII characters")])
    if '"' in text:
        raise NotSupported(errors=[FieldError("/hours", "comments are not kept")])
    if _UNSUPPORTED.search(text):
        raise NotSupported(errors=[FieldError("/hours", "no school holidays, sun, easter or `unknown`")])
    dated = with_dates(hours, now)
    if not validate(dated):
        raise Invalid(errors=[FieldError("/hours", "is not in the syntax of OpenStreetMap's opening_hours")])
    return OpeningHours(dated, timezone=ZoneInfo(hours.timezone))


def with_dates(hours: Hours, now: int) -> str:
    """The hours with `PH` written out: `Su,PH off` → `Su off; 2026 Dec 25,2026 Dec 26 off`."""
    rules = [part for rule in hours.hours.split(";") for part in _rule_with_dates(rule.strip(), hours, now)]
    return "; ".join(rules)


def _rule_with_dates(rule: str, hours: Hours, now: int) -> Iterator[str]:
    if not re.search(r"\bPH\b", rule):
        yield rule
        return
    match = _WITH_HOLIDAYS.fullmatch(rule)
    if match is None:
        said = "PH stands alone or in a list of weekdays, and after it only times, `off`, `closed` or `open`"
        raise NotSupported(errors=[FieldError("/hours", said)])
    if hours.country is None:
        raise Invalid(errors=[FieldError("/country", "is needed: the hours speak of public holidays")])
    days = (match["before"] + match["after"].removeprefix(",")).removesuffix(",")
    rest = match["rest"]
    if days:
        yield days + rest
    dates = public_holidays(hours.country, hours.subdivision, now)
    if dates:
        yield ",".join(f"{day:%Y %b %d}" for day in dates) + rest


def public_holidays(country: str, subdivision: str | None, now: int) -> list[date]:
    """Of every year that the table touches, ascending."""
    first, last = ((EPOCH + timedelta(microseconds=edge)).year for edge in window(now))
    return sorted(holidays.country_holidays(country, subdiv=subdivision, years=range(first, last + 1)))


def _instant(moment: datetime) -> int:
    return (moment.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)
