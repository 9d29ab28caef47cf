"""When something falls due by itself, and what it is called then. A timer is derived from its entity, never stored.

The heap holds (due, id, kind, floor's key). An entry is stale when its entity's next due time is another by now; stale
entries are dropped and don't count. An entity has one entry that counts at a time. An agent's lease is renewed all the
time: an entry that comes too early for its agent makes room for the next one only when its own time has come.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final

from libs.common.events import SECOND, Event
from services.router.core import facts
from services.router.core.floor import Floor
from services.router.core.interruption import is_protected, pause_spent_at
from services.router.core.limits import LOAD_LOOK_SECONDS, PRIVATE_ACKNOWLEDGED_SECONDS_MAX
from services.router.core.state import Agent, Closed, Contact, Queue

AGENT: Final = "agent"
CONTACT: Final = "contact"
CLOSED: Final = "closed"
QUEUE: Final = "queue"
Timer = tuple[int, str, str, str]
NEVER: Final = 2**63


class Timers:
    def __init__(self, floors: dict[str, Floor]) -> None:
        self._floors = floors
        self._heap: list[Timer] = []
        self._agents: dict[tuple[str, str], int] = {}
        """(Floor's key, agent) → the due time of the agent's first entry in the heap."""

    def __len__(self) -> int:
        return len(self._heap)

    def of_contact(self, floor: Floor, contact: Contact) -> None:
        """Keep the contact's timer in step with it."""
        due = contact_due(contact)
        if due and due != contact.timer:
            heappush(self._heap, (due, contact.id, CONTACT, floor.key))
        contact.timer = due

    def of_agent(self, floor: Floor, agent: Agent) -> None:
        due, place = agent_due(agent), (floor.key, agent.id)
        if due and due < self._agents.get(place, NEVER):
            self._agents[place] = due
            heappush(self._heap, (due, agent.id, AGENT, floor.key))

    def of_closed(self, floor: Floor, closed: Closed) -> None:
        heappush(self._heap, (closed.until, closed.id, CLOSED, floor.key))

    def of_queue(self, floor: Floor, queue: Queue) -> None:
        """The next step of its being drained."""
        if queue.drain_to is not None:
            heappush(self._heap, (queue.drain_at, queue.id, QUEUE, floor.key))

    def next_due(self) -> int | None:
        while self._heap:
            if self._event(self._heap[0]) is not None:
                return self._heap[0][0]
            self._pop()
        return None

    def pop(self, until: int) -> Event | None:
        due = self.next_due()
        if due is None or due > until:
            return None
        event = self._event(self._heap[0])
        timer = self._pop()
        if timer[2] == CONTACT:
            self._floors[timer[3]].contacts[timer[1]].timer = 0
        return event

    def _pop(self) -> Timer:
        """Take the first entry; an agent whose time is later by now gets one for that."""
        timer = heappop(self._heap)
        due, subject, kind, key = timer
        if kind == AGENT and self._agents.get((key, subject)) == due:
            del self._agents[key, subject]
            desk = self._floors[key].desks.get(subject)
            if desk is not None and agent_due(desk.agent) > due:
                self.of_agent(self._floors[key], desk.agent)
        return timer

    def _event(self, timer: Timer) -> Event | None:
        """What a timer stands for; None when it is stale."""
        due, subject, kind, key = timer
        floor = self._floors[key]
        if kind == CONTACT:
            contact = floor.contacts.get(subject)
            return contact_event(contact, due, key) if contact is not None and contact.timer == due else None
        if kind == AGENT:
            desk = floor.desks.get(subject)
            return agent_event(desk.agent, due, key) if desk is not None else None
        if kind == QUEUE:
            queue = floor.queues.get(subject)
            drained = queue is not None and queue.drain_to is not None and queue.drain_at == due
            return facts.DrainDue(key=key, at=due, queue_id=subject) if drained else None
        closed = floor.closed.get(subject)
        stale = closed is None or closed.until != due
        return None if stale else facts.MemoryEnded(key=key, at=due, contact_id=subject)


def relax_due(contact: Contact) -> int:
    """When its next relaxation step falls due; 0 when there is none."""
    steps = contact.rules.relax
    if contact.relaxed >= len(steps):
        return 0
    return (contact.relaxed_at or contact.waiting_since) + steps[contact.relaxed].after_seconds * SECOND


def private_due(contact: Contact) -> int:
    """When a move to private that nobody has acknowledged is no longer believed; 0 when there is none."""
    if contact.moved_to_private_at is None or contact.private_acknowledged_at is not None:
        return 0
    return contact.moved_to_private_at + PRIVATE_ACKNOWLEDGED_SECONDS_MAX * SECOND


def overflow_due(contact: Contact) -> int:
    """When it has waited in its queue for too long; 0 when it may wait for ever, or has been where it would go."""
    overflow = contact.rules.overflow
    if overflow is None or overflow.after_seconds is None or overflow.queue in contact.been:
        return 0
    return contact.entered_at + overflow.after_seconds * SECOND


def step_bound(contact: Contact) -> int | None:
    """The expected wait in seconds above which its next relaxation step begins."""
    steps = contact.rules.relax
    return steps[contact.relaxed].wait_over_seconds if contact.relaxed < len(steps) else None


def overflow_bound(contact: Contact) -> int | None:
    """The expected wait in seconds above which it goes on to another queue."""
    overflow = contact.rules.overflow
    return None if overflow is None or overflow.queue in contact.been else overflow.wait_over_seconds


def load_due(contact: Contact) -> int:
    """When its expected wait is looked at next; 0 when nothing follows from it."""
    if step_bound(contact) is None and overflow_bound(contact) is None:
        return 0
    seen = contact.load_seen_at
    return seen + LOAD_LOOK_SECONDS * SECOND if seen else contact.entered_at


def contact_due(contact: Contact) -> int:
    return _earliest(state_due(contact), private_due(contact))


def state_due(contact: Contact) -> int:
    match contact.state:
        case "waiting" if contact.opens_at is not None:
            return contact.opens_at
        case "waiting":
            by_rules = _earliest(_earliest(relax_due(contact), overflow_due(contact)), load_due(contact))
            return _earliest(by_rules, contact.last_agent_until or 0)
        case "offered":
            answer = _earliest(contact.offer_expires_at or 0, contact.last_agent_until or 0)
            return _earliest(relax_due(contact), answer)
        case "parked":
            return contact.parked_until or 0
        case "wrap_up":
            return contact.wrap_up_until or 0
        case "assigned":
            return 0 if contact.paused_at is None or is_protected(contact) else pause_spent_at(contact)


def _earliest(one: int, other: int) -> int:
    return min(one, other) if one and other else one or other


def contact_event(contact: Contact, due: int, key: str) -> Event | None:
    if private_due(contact) == due:
        return facts.PrivateDue(key=key, at=due, contact_id=contact.id)
    match contact.state:
        case "offered" if contact.offer_expires_at == due:
            return facts.OfferTimedOut(key=key, at=due, contact_id=contact.id)
        case "waiting" if contact.opens_at == due:
            return facts.QueueOpened(key=key, at=due, contact_id=contact.id)
        case "waiting" if overflow_due(contact) == due:
            return facts.OverflowDue(key=key, at=due, contact_id=contact.id)
        case "waiting" if load_due(contact) == due:
            return facts.LoadDue(key=key, at=due, contact_id=contact.id)
        case "waiting" | "offered" if contact.last_agent_until == due:
            return facts.HoldEnded(key=key, at=due, contact_id=contact.id)
        case "waiting" | "offered":
            return facts.RelaxDue(key=key, at=due, contact_id=contact.id)
        case "parked":
            return facts.ParkEnded(key=key, at=due, contact_id=contact.id)
        case "wrap_up":
            return facts.WrapUpDue(key=key, at=due, contact_id=contact.id)
        case "assigned":
            return facts.PauseSpent(key=key, at=due, contact_id=contact.id)


def agent_due(agent: Agent) -> int:
    return _earliest(_earliest(agent.lease_until or 0, agent.release_at or 0), agent.until or 0)


def agent_event(agent: Agent, due: int, key: str) -> Event | None:
    if agent.lease_until == due:
        return facts.LeaseEnded(key=key, at=due, agent_id=agent.id)
    if agent.until == due:
        return facts.ShiftEnded(key=key, at=due, agent_id=agent.id)
    if agent.release_at == due:
        return facts.ReleaseDue(key=key, at=due, agent_id=agent.id)
    return None
