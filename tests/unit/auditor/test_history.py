"""The checker of whole histories: silent of a true one, and red for each way in which one can be untrue."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import msgspec
import pytest

from libs.common.events import CONTACTS, ESCALATIONS, ROUTER_JOURNAL, ROUTING, SECOND, SLA_JOURNAL
from libs.common.events.codec import instant, rfc3339
from libs.common.log import Record
from services.auditor.history import Report, audit_partition
from tests.unit.auditor.story import true_history, value_of, with_value

Corruption = Callable[[list[Record]], list[Record]]


@cache
def history() -> tuple[Record, ...]:
    return tuple(true_history())


def audited(records: list[Record]) -> Report:
    report = Report()
    audit_partition(0, records, report)
    return report


def find(records: list[Record], topic: str, kind: str = "", nth: int = 0) -> int:
    """Where the nth record of a topic, and of a type if one is given, is."""
    places = [
        place for place, one in enumerate(records)
        if one.topic == topic and (not kind or one.headers.get("ce_type") == kind)
    ]  # fmt: skip
    return places[nth]


def lose(topic: str, kind: str = "", nth: int = 0) -> Corruption:
    def change(records: list[Record]) -> list[Record]:
        place = find(records, topic, kind, nth)
        return [*records[:place], *records[place + 1 :]]

    return change


def double(topic: str, kind: str = "", nth: int = 0) -> Corruption:
    def change(records: list[Record]) -> list[Record]:
        place = find(records, topic, kind, nth)
        return [*records[: place + 1], *records[place:]]

    return change


def swap(topic: str, kind: str, other: str) -> Corruption:
    def change(records: list[Record]) -> list[Record]:
        one, two = find(records, topic, kind), find(records, topic, other)
        records[one], records[two] = records[two], records[one]
        return records

    return change


def alter(topic: str, kind: str, nth: int = 0, **fields: object) -> Corruption:
    def change(records: list[Record]) -> list[Record]:
        place = find(records, topic, kind, nth)
        records[place] = with_value(records[place], **fields)
        return records

    return change


def earlier(topic: str, kind: str, seconds: int, field: str = "at") -> Corruption:
    def change(records: list[Record]) -> list[Record]:
        place = find(records, topic, kind)
        moved = rfc3339(instant(value_of(records[place])[field]) - seconds * SECOND)
        records[place] = with_value(records[place], **{field: moved})
        return records

    return change


def silent_after(kind: str) -> Corruption:
    """Of the clock of the first contact nothing more is heard, though its machine writes on for a long time."""

    def change(records: list[Record]) -> list[Record]:
        first = find(records, ESCALATIONS, kind)
        contact = records[first].headers["ce_subject"]
        kept = [one for place, one in enumerate(records) if place <= first or one.headers.get("ce_subject") != contact]
        last = find(kept, SLA_JOURNAL, nth=-1)
        late = msgspec.json.encode(value_of(kept[last]) | {"at": value_of(kept[last])["at"] + 3_600 * SECOND})
        kept[last] = msgspec.structs.replace(kept[last], value=late)
        return kept

    return change


def relayed_anew(records: list[Record]) -> list[Record]:
    """The same contact once more, but at an outbox position of its own."""
    opened = records[find(records, CONTACTS, nth=2)]
    again = msgspec.structs.replace(opened, headers=opened.headers | {"omni-outbox": "4"})
    return [*records, again]


def written_by_the_fenced(records: list[Record]) -> list[Record]:
    """A decision dated after the last commit of its service."""
    place = find(records, ROUTING, "contact.closed", 2)
    late = rfc3339(instant(value_of(records[place])["at"]) + 3_600 * SECOND)
    records[place] = with_value(records[place], at=late)
    return records


def test_a_true_history_breaks_nothing() -> None:
    report = audited(list(history()))
    assert report.violations == []
    assert report.opened == report.closed == {"con_1", "con_2", "con_3"}
    assert report.events["escalation.raised"] == 6
    assert report.events["offer.expired"] == 1


@pytest.mark.parametrize(("promise", "what", "corrupt"), [
    ("P1", "a fact is lost",              lose(CONTACTS, "contact.opened", 1)),
    ("P1", "opened and never queued",     lose(ROUTING, "contact.queued", 1)),
    ("P2", "a contact opened twice",      relayed_anew),
    ("P3", "two owners",                  double(ROUTING, "contact.assigned")),
    ("P4", "over the capacity",           alter(ROUTING, "contact.offered", units=41)),
    ("P5", "the agent wasn't there",      alter(ROUTING, "agent.presence_changed", status="away")),
    ("P3", "two live offers",             lose(ROUTING, "offer.expired")),
    ("P6", "an offer that never ends",    lose(ROUTING, "offer.accepted")),
    ("P6", "an offer that ends too late", earlier(ROUTING, "contact.offered", 60, "expires_at")),
    ("P7", "accepted twice",              double(ROUTING, "offer.accepted")),
    ("P7", "closed twice",                double(ROUTING, "contact.closed")),
    ("P8", "a step twice",                double(ESCALATIONS, "escalation.raised")),
    ("P8", "a step is left out",          lose(ESCALATIONS, "escalation.raised")),
    ("P8", "nothing is said of a clock",  silent_after("clock.started")),
    ("P8", "a step before its time",      alter(ESCALATIONS, "clock.started", seconds=100)),
    ("P8", "steps out of order",          swap(ESCALATIONS, "target.warned", "target.breached")),
    ("P10", "decisions out of order",     swap(ROUTING, "contact.queued", "contact.offered")),
    ("P10", "a decision is lost",         lose(ROUTING, "contact.assigned")),
    ("P10", "back in time",               earlier(ROUTING, "contact.closed", 3_600)),
    ("P13", "a commit is missing",        lose(ROUTER_JOURNAL, nth=5)),
    ("P13", "a commit twice",             double(SLA_JOURNAL, nth=3)),
    ("P13", "a decision of no commit",    written_by_the_fenced),
])  # fmt: skip
def test_each_corruption_is_seen(promise: str, what: str, corrupt: Corruption) -> None:
    found = audited(corrupt(list(history()))).violations
    assert promise in {violation.promise for violation in found}, f"{what}: {found}"


def test_what_the_relay_appended_again_is_dropped() -> None:
    report = audited(double(CONTACTS, "contact.opened")(list(history())))
    assert report.violations == []
    assert report.relayed_twice == 1
