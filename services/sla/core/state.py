"""The state of one partition: its contacts with their clocks, and each workspace's targets and calendars.

Entities are what is stored; indexes and timers are derived from them and rebuilt after a restore. A timer is
(due, id): one a clock for its next moment, one a contact for forgetting it. Timers that no longer hold stay in the
heap and are passed over when they come up, or dropped when most are such.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from libs.common.events import workspace_key
from libs.common.events.values import EscalationStep, Match, Medium, Metric, Visibility
from services.sla.core.clocks import NEVER, Interval, Table
from services.sla.core.facts import Fact
from services.sla.core.ladder import Moment, moments
from services.sla.core.limits import STALE_TIMERS_MIN

CONTACT, TARGET, CALENDAR = "contact", "target", "calendar"
FORGET = "forget"
ALWAYS = "always"


@dataclass(kw_only=True, slots=True)
class Target:
    """A promise as it is configured now. A deleted one stays for its version and sequence, which go on if its id
    comes back."""

    key: str
    target_id: str
    version: int = 0
    sequence: int = 0
    deleted: bool = False
    match: Match = field(default_factory=Match)
    metric: Metric = "first_response"
    seconds: int = 0
    goal: float = 0.9
    calendar: str = ALWAYS
    warn_at: tuple[float, ...] = ()
    escalate: tuple[EscalationStep, ...] = ()


Earlier = tuple[int, tuple[Interval, ...]]
"""An hours version and its table."""


@dataclass(kw_only=True, slots=True)
class Calendar:
    """Business hours as they are configured now; a deleted one as a deleted target."""

    key: str
    calendar_id: str
    version: int = 0
    hours_version: int = 0
    sequence: int = 0
    deleted: bool = False
    hours: str = "24/7"
    timezone: str = "UTC"
    country: str | None = None
    subdivision: str | None = None
    open: tuple[Interval, ...] = ()
    """Empty for a deleted one, unless a clock still needs it."""
    earlier: tuple[Earlier, ...] = ()
    """The last tables of hours that were replaced, the latest first, while a clock still runs by them."""

    @property
    def rules(self) -> tuple[str, str, str | None, str | None]:
        """What the intervals are compiled from."""
        return self.hours, self.timezone, self.country, self.subdivision


@dataclass(kw_only=True, slots=True)
class Clock:
    """One promise to one contact. All that the target said is pinned when the clock starts."""

    target: str
    target_version: int
    metric: Metric
    seconds: int
    calendar: str
    hours_version: int
    """Of the calendar; 0 for `always`."""
    warn_at: tuple[float, ...] = ()
    escalate: tuple[EscalationStep, ...] = ()
    started_at: int
    entered_at: int
    """When it was started here: later than `started_at` by the time that the news took."""
    running_since: int
    spent: int = 0
    """Microseconds of open time that had passed at `running_since`."""
    paused_at: int | None = None
    banked: int | None = None
    """Microseconds of open time that had passed at `paused_at`."""
    dues: tuple[int, ...]
    """When each of the moments falls due, while the clock runs on."""
    raised: int = 0
    """How many of the moments were raised."""
    breached_at: int | None = None
    met_at: int | None = None
    late: bool = False
    ended: str | None = None
    """None while it is open; then `met`, or the reason of its cancellation."""

    @property
    def moments(self) -> tuple[Moment, ...]:
        return moments(self.warn_at, self.escalate)

    @property
    def breach_index(self) -> int:
        return next(index for index, moment in enumerate(self.moments) if moment.kind == "breach")

    @property
    def due_at(self) -> int:
        return self.dues[self.breach_index]

    @property
    def next_at(self) -> int | None:
        """When the next moment falls due; None when nothing more will be raised as things stand."""
        if self.ended is not None or self.raised == len(self.dues):
            return None
        due = self.dues[self.raised]
        paused_before = self.paused_at is not None and self.paused_at < due
        return None if paused_before or due == NEVER else due


@dataclass(kw_only=True, slots=True)
class Contact:
    """A contact, from the first fact about it until a while after its end."""

    key: str
    contact_id: str
    entered: bool = False
    """Whether the router queued it; before that only its facts are kept."""
    queue: str = ""
    channel: str = ""
    medium: Medium = "async"
    visibility: Visibility = "private"
    opened_at: int = 0
    facts: list[Fact] = field(default_factory=list)
    applied: int = 0
    """How many of the facts had their effect."""
    last_word_at: int = 0
    """When the customer wrote last."""
    wrapped_up_at: int | None = None
    ended_at: int | None = None
    forget_at: int | None = None
    sequence: int = 0
    reach: int = 1
    reach_since: int = 0
    exposure: int = 0
    """Reach × unanswered microseconds, up to `reach_since`."""
    exposed: bool = True
    """Whether it still waits for its first answer."""
    clocks: list[Clock] = field(default_factory=list)

    @property
    def live(self) -> bool:
        return self.entered and self.ended_at is None

    @property
    def workspace(self) -> str:
        return self.key.split("/", 1)[0]

    @property
    def entity_key(self) -> str:
        return contact_key(self.key, self.contact_id)

    def clock(self, metric: str) -> Clock | None:
        return next((clock for clock in self.clocks if clock.metric == metric), None)


def contact_key(key: str, contact_id: str) -> str:
    return f"{CONTACT}|{key}|{contact_id}"


def first_of(contact_id: str) -> str:
    """`con_x.r2` → `con_x`: the contact that its repeats are named after."""
    first, dot, number = contact_id.rpartition(".r")
    return first if dot and number.isdecimal() else contact_id


@dataclass
class Sla:
    partition: int
    now: int = 0
    contacts: dict[str, Contact] = field(default_factory=dict)
    targets: dict[str, dict[str, Target]] = field(default_factory=dict)
    """Workspace key → id → target, deleted ones included."""
    calendars: dict[str, dict[str, Calendar]] = field(default_factory=dict)
    repeats: dict[str, str] = field(default_factory=dict)
    """Entity key of a first contact → id of its live repeat."""
    unsettled: dict[str, None] = field(default_factory=dict)
    """Entity keys of contacts with facts to apply."""
    timers: list[tuple[int, str]] = field(default_factory=list)
    scheduled: dict[str, int] = field(default_factory=dict)
    """Timer id → when it is due as things stand; the heap has an entry for it."""
    touched: set[str] = field(default_factory=set)

    def contact(self, key: str, contact_id: str) -> Contact | None:
        return self.contacts.get(contact_key(key, contact_id))

    def live(self, key: str, contact_id: str) -> Contact | None:
        contact = self.contact(key, contact_id)
        return contact if contact is not None and contact.live else None

    def targets_of(self, workspace: str) -> Iterator[Target]:
        """The workspace's targets that stand now."""
        of_workspace = self.targets.get(workspace_key(workspace), {})
        return (target for target in of_workspace.values() if not target.deleted)

    def calendar(self, workspace: str, calendar_id: str) -> Calendar | None:
        return self.calendars.get(workspace_key(workspace), {}).get(calendar_id)

    def table(self, workspace: str, calendar_id: str) -> Table:
        """The open intervals; a calendar that was deleted keeps its last ones for the clocks that still use it."""
        if calendar_id == ALWAYS:
            return None
        calendar = self.calendar(workspace, calendar_id)
        return calendar.open if calendar is not None else ()

    def table_of(self, workspace: str, clock: Clock) -> Table:
        """The open intervals by which a clock runs: of the hours that it began or last went on with."""
        calendar = self.calendar(workspace, clock.calendar)
        earlier = dict(calendar.earlier) if calendar is not None else {}
        return earlier.get(clock.hours_version, self.table(workspace, clock.calendar))

    def hours_version(self, workspace: str, calendar_id: str) -> int:
        """0 for `always`."""
        calendar = self.calendar(workspace, calendar_id)
        return calendar.hours_version if calendar is not None else 0

    def hours_in_use(self, workspace: str) -> set[tuple[str, int]]:
        """(calendar, hours version) of every clock, for as long as its contact is remembered."""
        return {
            (clock.calendar, clock.hours_version)
            for contact in self.contacts.values()
            if contact.workspace == workspace
            for clock in contact.clocks
        }

    def touch(self, entity_key: str) -> None:
        self.touched.add(entity_key)

    # -- what is derived ----------------------------------------------------------------------------------------

    def index(self, contact: Contact) -> None:
        """Bring the indexes and timers of one contact up to date with it."""
        entity_key = contact.entity_key
        if contact.entered and contact.applied < len(contact.facts):
            self.unsettled[entity_key] = None
        else:
            self.unsettled.pop(entity_key, None)
        self._index_repeat(contact)
        for clock in contact.clocks:
            self._schedule(clock.next_at, f"{entity_key}|{clock.metric}")
        self._schedule(contact.forget_at, f"{entity_key}|{FORGET}")

    def forget(self, contact: Contact) -> None:
        entity_key = contact.entity_key
        del self.contacts[entity_key]
        self.unsettled.pop(entity_key, None)
        for name in (FORGET, *(clock.metric for clock in contact.clocks)):
            self._schedule(None, f"{entity_key}|{name}")

    def _index_repeat(self, contact: Contact) -> None:
        first = first_of(contact.contact_id)
        if first == contact.contact_id:
            return
        first_key = contact_key(contact.key, first)
        if contact.live:
            self.repeats[first_key] = contact.contact_id
        elif self.repeats.get(first_key) == contact.contact_id:
            del self.repeats[first_key]

    def _schedule(self, due: int | None, timer_id: str) -> None:
        if due is None:
            self.scheduled.pop(timer_id, None)
        elif self.scheduled.get(timer_id) != due:
            self.scheduled[timer_id] = due
            heapq.heappush(self.timers, (due, timer_id))
        if len(self.timers) > STALE_TIMERS_MIN + 2 * len(self.scheduled):
            self.timers = [(due, timer_id) for timer_id, due in self.scheduled.items()]
            heapq.heapify(self.timers)

    def earliest(self) -> tuple[int, str] | None:
        """The timer that comes first in (due, id) order; those that no longer hold are dropped on the way."""
        while self.timers:
            due, timer_id = self.timers[0]
            if self.scheduled.get(timer_id) == due:
                return due, timer_id
            heapq.heappop(self.timers)
        return None

    def drop_earliest(self) -> None:
        _, timer_id = heapq.heappop(self.timers)
        del self.scheduled[timer_id]
