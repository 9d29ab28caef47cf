"""The state of one partition: the floors of its pools, the targets of their workspaces, the time and the timers."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush

from libs.common.events import Event, Settle
from services.router.core.desks import Desk
from services.router.core.facts import ReweighDue
from services.router.core.floor import Floor
from services.router.core.pace import Pace
from services.router.core.state import (
    Agent,
    Closed,
    Contact,
    Entity,
    Policy,
    Pool,
    Queue,
    Target,
)
from services.router.core.timers import Timers


class Partition:
    def __init__(self, number: int) -> None:
        self.number = number
        self.now = 0
        self.floors: dict[str, Floor] = {}
        self.targets: dict[str, dict[str, Target]] = {}
        """Workspace → its targets by id."""
        self.timers = Timers(self.floors)
        self.busy: list[str] = []
        """Keys of floors that may have work for `Settle`."""
        self.reweighing: list[str] = []
        """Keys of floors whose waiting contacts take new weights."""
        self.changes: dict[str, Entity | None] = {}

    def floor(self, key: str) -> Floor:
        """The floor of a pool; a pool that was never configured gets an empty one."""
        floor = self.floors.get(key)
        if floor is None:
            workspace = key.split("/", 1)[0]
            floor = self.floors[key] = Floor(key, self.targets.setdefault(workspace, {}))
        return floor

    def floors_of(self, key: str) -> list[Floor]:
        """The floor of a pool, or of every pool of a workspace for `<workspace>/*`; by key."""
        workspace, pool = key.split("/", 1)
        if pool != "*":
            return [self.floor(key)]
        return [floor for name, floor in sorted(self.floors.items()) if name.startswith(f"{workspace}/")]

    # -- marks --------------------------------------------------------------------------------------------------

    def mark(self, kind: str, floor: Floor, subject: str, entity: Entity | None) -> None:
        self.changes[f"{kind}|{floor.key}|{subject}"] = entity

    def touch(self, floor: Floor, contact: Contact) -> None:
        """The contact changed: its record, its timer and perhaps the work."""
        self.mark("contact", floor, contact.id, contact)
        self.timers.of_contact(floor, contact)
        if contact.to_place:
            self.has_work(floor)

    def touch_agent(self, floor: Floor, desk: Desk) -> None:
        self.mark("agent", floor, desk.agent.id, desk.agent)
        if desk.agent.to_fill or desk.may_leave:
            self.has_work(floor)

    def has_work(self, floor: Floor) -> None:
        if floor.key not in self.busy:
            heappush(self.busy, floor.key)

    def reweigh(self, floor: Floor) -> None:
        if floor.key not in self.reweighing:
            heappush(self.reweighing, floor.key)

    def recheck_dead_ends(self, floor: Floor) -> None:
        """Who could take them, or where else they could go, has changed: the next `Settle` looks at them again."""
        if floor.dead_ends:
            floor.pool.recheck_after = ""
            self.mark("pool", floor, floor.pool.id, floor.pool)
            self.has_work(floor)

    def drain(self) -> Iterable[tuple[str, Entity | None]]:
        changes, self.changes = self.changes, {}
        return sorted(changes.items(), key=lambda item: item[0])

    # -- what comes next ----------------------------------------------------------------------------------------

    def working_floor(self) -> Floor | None:
        """The floor whose work is next; None when there is nothing to do."""
        while self.busy:
            floor = self.floors[self.busy[0]]
            if floor.has_work():
                return floor
            heappop(self.busy)
        return None

    def reweighing_floor(self) -> Floor | None:
        while self.reweighing:
            floor = self.floors[self.reweighing[0]]
            if floor.pool.reweigh_after is not None:
                return floor
            heappop(self.reweighing)
        return None

    def next_due(self) -> int | None:
        busy = self.working_floor() is not None or self.reweighing_floor() is not None
        return self.now if busy else self.timers.next_due()

    def pop_timer(self, until: int) -> Event | None:
        """Work that `Settle` left undone comes before any timer, and new weights after all of them."""
        if self.working_floor() is not None:
            return Settle(key="", at=self.now)  # It is late already, whatever was observed when.
        timer = self.timers.pop(until)
        if timer is not None:
            return timer
        floor = self.reweighing_floor()
        return None if floor is None else ReweighDue(key=floor.key, at=self.now)

    # -- restore ------------------------------------------------------------------------------------------------

    def load(self, key: str, entity: Entity) -> None:
        _, place, subject = key.split("|", 2)
        if isinstance(entity, Target):
            self.targets.setdefault(place.split("/", 1)[0], {})[subject] = entity
            return
        floor = self.floor(place)
        match entity:
            case Pool():
                floor.pool = entity
            case Policy():
                floor.policy = entity
            case Pace():
                floor.pace = entity
            case Queue():
                floor.queues[subject] = entity
            case Agent():
                floor.desks[subject] = Desk(entity)
            case Contact():
                floor.contacts[subject] = shared(floor, entity)
            case Closed(): floor.closed[subject] = entity  # fmt: skip

    def loaded(self) -> None:
        for _, floor in sorted(self.floors.items()):
            floor.rebuild()
            self.has_work(floor)
            self.reweigh(floor)
            for _, desk in sorted(floor.desks.items()):
                self.timers.of_agent(floor, desk.agent)
            for _, contact in sorted(floor.contacts.items()):
                contact.timer = 0
                self.timers.of_contact(floor, contact)
            for _, closed in sorted(floor.closed.items()):
                self.timers.of_closed(floor, closed)
            for _, queue in sorted(floor.queues.items()):
                self.timers.of_queue(floor, queue)


def shared(floor: Floor, contact: Contact) -> Contact:
    """The same contact, with one object for what many contacts have in common."""
    contact.rules = floor.share(contact.rules)
    contact.own = floor.share(contact.own)
    contact.account = floor.share(contact.account)
    contact.channel = floor.share(contact.channel)
    contact.terms = floor.share(contact.terms)
    contact.target = floor.share(contact.target)
    contact.topics = floor.share(contact.topics)
    contact.language = floor.share(contact.language)
    return contact
