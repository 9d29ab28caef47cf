"""Which subscription takes which event.

A pattern is an exact type (`contact.closed`), a family (`target.*`) or `*`, everything public. A filter is equality
on fields that the event itself carries; an event without the field doesn't match. `queue` is therefore known of
`contact.queued`, `contact.assigned` or `target.breached`, and unknown of `contact.closed`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from libs.common.events import PUBLIC_TOPICS, Event
from libs.common.events.codec import EVENTS

PUBLIC_EVENTS: Final[dict[str, type[Event]]] = {
    name: EVENTS[name] for name in sorted(EVENTS) if EVENTS[name].topic in PUBLIC_TOPICS
}
FILTER_FIELDS: Final = ("queue", "channel", "visibility", "target", "to", "contact_id", "agent_id", "metric")
EVERYTHING: Final = "*"
FAMILY: Final = ".*"
DIGEST_CHARACTERS: Final = 32


class Rule(msgspec.Struct, frozen=True):
    """What a subscription asks for. `filter` holds (field, value) pairs."""

    types: frozenset[str]
    filter: tuple[tuple[str, str], ...] = ()


def types_of(pattern: str) -> tuple[str, ...]:
    """The public types that a pattern stands for, in alphabetical order; empty when there are none."""
    if pattern == EVERYTHING:
        return tuple(PUBLIC_EVENTS)
    if pattern.endswith(FAMILY):
        return tuple(name for name in PUBLIC_EVENTS if name.startswith(pattern[: -len(EVERYTHING)]))
    return (pattern,) if pattern in PUBLIC_EVENTS else ()


def rule_of(patterns: Iterable[str], wanted: Mapping[str, str]) -> Rule:
    types = frozenset(name for pattern in patterns for name in types_of(pattern))
    return Rule(types, tuple(sorted(wanted.items())))


def takes(rule: Rule, event: Event) -> bool:
    if event.type not in rule.types:
        return False
    return all(getattr(event, field, None) == value for field, value in rule.filter)


def can_match(rule: Rule) -> bool:
    """Whether any of the types carries every field of the filter: otherwise nothing would ever be delivered."""
    needed = [field for field, _ in rule.filter]
    return any(carries(PUBLIC_EVENTS[name], needed) for name in sorted(rule.types))


def carries(event: type[Event], fields: Iterable[str]) -> bool:
    return all(field in event.__struct_fields__ for field in fields)


def subject_of(event: Event) -> str:
    """What order is kept for: the contact, or whatever else the event is about (`agent_id:ann`)."""
    return f"{event.subject_field}:{event.subject}"


def line_of(workspace: str, subscription: str, event: Event) -> str:
    """Deliveries of one line are made one after the other. A key by itself, so that it needs one index and no
    statistics to find who is ahead."""
    return _digest(f"{workspace}/{subscription}/{subject_of(event)}")


def stands_for_all(event: Event, partition: int) -> bool:
    """What concerns a whole workspace is copied to every partition; the copy on the first one stands for all."""
    return event.pool != "*" or partition == 0


def delivery_id(workspace: str, subscription: str, position: int) -> str:
    """The `webhook-id`: the same at every attempt, another one for every event and subscription."""
    return "dlv_" + _digest(f"{workspace}/{subscription}/{position}")


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:DIGEST_CHARACTERS]
