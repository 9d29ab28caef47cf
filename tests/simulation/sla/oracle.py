"""What must have come of a day, worked out the slow way: from the history alone, second by second."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from libs.common.events import SECOND, Event
from libs.common.events.commands import PutTarget
from libs.common.events.contacts import ContactWithdrawn, MessageAdded, ResponseObserved
from libs.common.events.routing import (
    ContactAbandoned,
    ContactAssigned,
    ContactClosed,
    ContactParked,
    ContactQueued,
    ContactResumed,
)
from services.sla.core.limits import ENDED_CONTACT_KEPT_SECONDS, UNQUEUED_FACTS_KEPT_SECONDS
from tests.simulation.sla.world import OFFICE, TARGETS
from tests.unit.sla.driver import NINE

HORIZON = 9_000
"""Seconds: nothing of a day lasts longer."""


def second(instant: int) -> int:
    return (instant - NINE) // SECOND


def happened(now: int, event: ResponseObserved | MessageAdded) -> int:
    """The second; what a clock that runs ahead dates later than it was told happened when it was told."""
    return min(now, second(event.occurred_at))


@dataclass
class Story:
    """One contact as it was told: what applies to it, in the order in which that became known."""

    queued: ContactQueued
    facts: list[tuple[str, int]] = field(default_factory=list)
    ended_at: int | None = None
    end: str | None = None
    forgotten_at: int = 0
    afterwards: list[int] = field(default_factory=list)
    """Responses given before the end and told after it."""

    @property
    def start(self) -> int:
        return second(self.queued.opened_at)


class History:
    """Reads the events in the order in which they were fed, at the time when they were."""

    def __init__(self, outages: list[tuple[int, int]]) -> None:
        self.outages = outages
        self.stories: dict[str, Story] = {}
        self._loose: dict[str, list[tuple[str, int]]] = {}

    def tell(self, now: int, event: Event) -> None:
        contact_id = getattr(event, "contact_id", "")
        match event:
            case ContactQueued(): self._queue(event)
            case ResponseObserved(automatic=False): self._fact(now, contact_id, "response", happened(now, event))
            case MessageAdded(author="customer"): self._fact(now, contact_id, "message", happened(now, event))
            case ContactWithdrawn(): self._routed(contact_id, "withdrawn", second(event.occurred_at))
            case ContactAssigned(medium="voice"): self._routed(contact_id, "connected", second(event.at))
            case ContactParked(reason="awaiting_customer"): self._routed(contact_id, "parked", second(event.at))
            case ContactResumed(reason="unpaused"): pass
            case ContactResumed(): self._routed(contact_id, "resumed", second(event.at))
            case ContactClosed(): self._end(contact_id, second(event.at), event.resolution)
            case ContactAbandoned(): self._end(contact_id, second(event.at), "abandoned")
            case _: pass

    def _queue(self, event: ContactQueued) -> None:
        story = self.stories[event.contact_id] = Story(event)
        first = event.contact_id.removesuffix(".r2")
        told = self._loose.get(first, []) if first != event.contact_id else []
        since = [one for one in told if one[1] >= story.start]
        story.facts = since + self._loose.get(event.contact_id, [])

    def _live(self, contact_id: str) -> Story | None:
        story = self.stories.get(contact_id)
        return story if story is not None and story.ended_at is None else None

    def _fact(self, now: int, contact_id: str, kind: str, at: int) -> None:
        if (story := self._live(contact_id)) is not None:
            story.facts.append((kind, at))
        elif (repeat := self._live(f"{contact_id}.r2")) is not None and at >= repeat.start:
            repeat.facts.append((kind, at))
        else:
            self._too_late(now, contact_id, kind, at)
        self._loose.setdefault(contact_id, []).append((kind, at))

    def _too_late(self, now: int, contact_id: str, kind: str, at: int) -> None:
        ended = self.stories.get(contact_id)
        if ended is None or ended.ended_at is None or now >= ended.forgotten_at:
            return
        if at > ended.ended_at:
            ended.forgotten_at = now + UNQUEUED_FACTS_KEPT_SECONDS
        elif kind == "response":
            ended.afterwards.append(at)

    def _routed(self, contact_id: str, kind: str, at: int) -> None:
        if (story := self._live(contact_id)) is not None:
            story.facts.append((kind, at))
        elif contact_id not in self.stories:
            self._loose.setdefault(contact_id, []).append((kind, at))

    def _end(self, contact_id: str, at: int, how: str) -> None:
        if (story := self._live(contact_id)) is not None:
            story.ended_at, story.end = at, how
            story.forgotten_at = at + ENDED_CONTACT_KEPT_SECONDS


# -- clocks, second by second --------------------------------------------------------------------------------------


def target_of(story: Story, metric: str) -> PutTarget:
    community = story.queued.visibility == "community"
    if metric == "resolution":
        return TARGETS["solve_office" if community else "solve"]
    return TARGETS["office" if community else story.queued.medium]


def is_open(calendar: str, at: int) -> bool:
    return calendar == "always" or any(opens <= at < closes for opens, closes in OFFICE)


def pauses(facts: list[tuple[str, int]], start: int) -> list[tuple[int, int]]:
    """While the customer owed the answer; the last one may be without end. A fact older than the turn it would
    change, or than the customer's last word, changes nothing."""
    found: list[tuple[int, int]] = []
    paused_at: int | None = None
    ours_since = start
    for kind, at in facts:
        if kind in {"response", "parked"} and paused_at is None and at >= ours_since:
            paused_at = at
        elif kind in {"message", "resumed"} and paused_at is not None and at >= paused_at:
            found.append((paused_at, at))
            paused_at, ours_since = None, max(ours_since, at)
        ours_since = max(ours_since, at) if kind == "message" else ours_since
    return [*found, (paused_at, HORIZON)] if paused_at is not None else found


def in_force(facts: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Until the contact was withdrawn."""
    gone = next((index for index, (kind, _) in enumerate(facts) if kind == "withdrawn"), len(facts))
    return facts[:gone]


def due(story: Story, metric: str, share: float, facts: list[tuple[str, int]]) -> int:
    """The second at which the clock has run for this share; HORIZON if it never does."""
    wanted = target_of(story, metric)
    stopped = pauses(facts, story.start) if metric == "resolution" else []
    return counted(wanted.calendar, story.start, round(share * wanted.seconds * 1_000), tuple(stopped))


def ran(story: Story, metric: str, until: int, facts: list[tuple[str, int]]) -> int:
    """For how many seconds a clock has run."""
    calendar = target_of(story, metric).calendar
    stopped = pauses(facts, story.start) if metric == "resolution" else []
    seconds = range(story.start, until)
    return sum(is_open(calendar, at) and not any(a <= at < b for a, b in stopped) for at in seconds)


@cache
def counted(calendar: str, start: int, left: int, stopped: tuple[tuple[int, int], ...]) -> int:
    """Second by second: what is left, in thousandths of a second, goes down while it is open and nothing stops it."""
    for at in range(start, HORIZON):
        if left <= 0:
            return at
        if is_open(calendar, at) and not any(a <= at < b for a, b in stopped):
            left -= 1_000
    return HORIZON


def outcome(story: Story, metric: str) -> str:
    """`met`, `missed`, or `cancelled` (which may also be a miss, if it was breached before)."""
    return resolution(story) if metric == "resolution" else first_response(story)


def first_response(story: Story) -> str:
    answers = "connected" if story.queued.medium == "voice" else "response"
    gone = len(in_force(story.facts))
    given = [at for kind, at in story.facts[:gone] if kind == answers]
    if not given and (gone < len(story.facts) or story.end == "withdrawn"):
        return "cancelled"
    later = [at for kind, at in story.facts[gone:] if kind == answers]
    told_after = [] if story.queued.medium == "voice" else story.afterwards
    limit = due(story, "first_response", 1.0, [])
    return "met" if min([*given, *later, *told_after], default=HORIZON) <= limit else "missed"


def resolution(story: Story) -> str:
    if story.end == "withdrawn" or any(kind == "withdrawn" for kind, _ in story.facts):
        return "cancelled"
    if story.end == "abandoned":
        answers = "connected" if story.queued.medium == "voice" else "response"
        return "cancelled" if any(kind == answers for kind, _ in story.facts) else "missed"
    assert story.ended_at is not None
    limit = due(story, "resolution", 1.0, story.facts)
    stopped = pauses(story.facts, story.start)
    worked_until = min([story.ended_at, *(a for a, b in stopped if b == HORIZON)])
    return "met" if worked_until <= limit else "missed"
