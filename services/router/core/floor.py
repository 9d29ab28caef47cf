"""A pool's floor: its entities, and the indexes that make a decision cost the same with a million waiting.

Only `evolve` and the restore call what changes something here. Every index follows from the entities alone: after a
restore the same decisions follow.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from heapq import heappop, heappush
from typing import Final, TypeVar

from libs.common.events.values import Requirement
from services.router.core.desks import Desk, Profile, ProfileKey, capacity_key, profile_key
from services.router.core.fronts import Fronts
from services.router.core.incidents import Incidents
from services.router.core.limits import BUCKETS_EMPTY_MAX, SEEN_MAX, SHARED_MAX
from services.router.core.pace import Pace, bounds_wait
from services.router.core.queues import Asked, Bucket, BucketKey, Need, NeedKey, steps_ahead
from services.router.core.requirements import for_anybody, meets, passed_at_once, skills_of
from services.router.core.state import (
    Agent,
    Closed,
    Contact,
    Policy,
    Pool,
    Queue,
    Seen,
    Target,
    base_and_generation,
    first_choices,
    holders_of,
    is_short,
    is_sought_for,
    line_of,
    requirement_at,
)

V = TypeVar("V")
EVERYONE: Final = "everyone"
"""The queue that takes what no other matches; it needs no configuration."""
NO_AGENT: Final = "no_agent"
NOBODY_ANSWERS: Final = "nobody_answers"


class Floor:
    def __init__(self, key: str, targets: dict[str, Target]) -> None:
        self.key = key
        self.pool = Pool(id=key.split("/", 1)[1])
        self.policy = Policy()
        self.pace = Pace()
        self.measures = False
        """Whether a queue has a bound on the expected wait."""
        self.targets = targets
        self.queues: dict[str, Queue] = {}
        self.queue_order: list[Queue] = []
        self.desks: dict[str, Desk] = {}
        self.profiles: dict[ProfileKey, Profile] = {}
        self.roster = 0
        """How many agents there are, available or not."""
        self.contacts: dict[str, Contact] = {}
        self.closed: dict[str, Closed] = {}
        self.heads: dict[str, str] = {}
        """First contact's id → the open generation's, where it isn't the first."""
        self.needs: dict[NeedKey, Need] = {}
        self.buckets: dict[BucketKey, Bucket] = {}
        self.opening: dict[Bucket, None] = {}
        """Buckets that load may open to who meets a later step; their order decides nothing."""
        self.places: dict[str, Bucket] = {}
        """Waiting contact → its bucket."""
        self.fronts = Fronts()
        self.lengths: dict[str, int] = {}
        """Queue → how many wait in it or are on offer."""
        self.held: dict[str, dict[str, Contact]] = {}
        """Preferred or last agent → contacts held for them, in no bucket meanwhile."""
        self.incidents = Incidents()
        self.groups: dict[str, dict[str, Contact]] = {}
        """First contact, offered to somebody → who waits to join it, in no bucket meanwhile."""
        self.bounced: dict[str, Contact] = {}
        """Waiting contacts that somebody was asked for in vain, not flagged."""
        self.dead_ends: list[str] = []
        """Contacts for whom nobody has the skills, by id."""
        self.to_reweigh: list[str] = []
        """Who waited when the weights changed, by id; what has become of them since is looked up."""
        self.hungry: list[str] = []
        self.leavers: list[str] = []
        """Agents who may be free to leave, as they want."""
        self.arrivals: list[tuple[int, str]] = []
        self.draining: dict[str, list[str]] = {}
        """Queue that is drained → ids of who waits there, ascending; some of them have left."""
        self.short = 0
        """Contacts that more agents shall be asked for beside those who are."""
        self._live = 0
        """Buckets with somebody in them."""
        self._seen: dict[tuple[Requirement | None, Requirement, bool], None] = {}
        self._shared: dict[object, object] = {}

    def share(self, value: V) -> V:
        """One object for equal values: a million contacts hold few different requirements, names, rules."""
        if len(self._shared) >= SHARED_MAX:
            self._shared.clear()
        return self._shared.setdefault(value, value)  # type: ignore[return-value]

    # -- configuration ------------------------------------------------------------------------------------------

    def order_queues(self) -> None:
        open_queues = (queue for queue in self.queues.values() if not queue.deleted)
        self.queue_order = sorted(open_queues, key=lambda queue: (queue.id == EVERYONE, queue.order, queue.id))
        self.measures = any(bounds_wait(queue.relax, queue.overflow) for queue in self.queue_order)

    def configure(self, desk: Desk) -> None:
        """The agent's skills, capacity or existence changed: find the profile and the peers anew."""
        desk.stand_up()
        self._leave_profile(desk)
        desk.capacity = capacity_key(desk.agent.capacity)
        if not desk.agent.deleted:
            desk.profile = self._profile(desk.agent)
            desk.profile.join(desk)
            self.roster += 1
        desk.sit_down()

    def _leave_profile(self, desk: Desk) -> None:
        profile, desk.profile = desk.profile, None
        if profile is None:
            return
        profile.leave(desk)
        self.roster -= 1
        if not profile.desks:
            self._drop_profile(profile)

    def _drop_profile(self, profile: Profile) -> None:
        del self.profiles[tuple(sorted(profile.skills.items()))]
        for need in self.needs.values():
            if profile in need.profiles:
                need.profiles.remove(profile)

    def _profile(self, agent: Agent) -> Profile:
        key = profile_key(agent)
        profile = self.profiles.get(key)
        if profile is None:
            profile = self.profiles[key] = Profile(dict(key))
            self._introduce(profile)
        return profile

    def _introduce(self, profile: Profile) -> None:
        for need in self.needs.values():
            if need.met_by(profile.skills):
                need.profiles.append(profile)
        for bucket in self.buckets.values():
            if bucket.need.met_by(profile.skills):
                profile.buckets.setdefault(bucket.kind, {})[bucket] = None
            if any(need.met_by(profile.skills) for need in bucket.needs[1:]):
                profile.opening[bucket] = None
        for seen in self.pool.seen:
            self._count_seen(profile, seen)

    def _count_seen(self, profile: Profile, seen: Seen) -> None:
        if meets(profile.skills, seen.requirement) and meets(profile.skills, seen.own):
            profile.versatility += 1
            profile.takes_calls = profile.takes_calls or seen.calls

    # -- what contacts need -------------------------------------------------------------------------------------

    def see(self, contact: Contact) -> bool:
        """Remember what this contact needs, once what is relaxed at once is; whether that is new."""
        needed = requirement_at(contact, passed_at_once(contact.rules.relax))
        key = (skills_of(contact.own), needed, contact.medium == "voice")
        if key in self._seen or len(self._seen) >= SEEN_MAX:
            return False
        self._seen[key] = None
        seen = Seen(*key)
        self.pool.seen.append(seen)
        for profile in self.profiles.values():
            self._count_seen(profile, seen)
        return True

    def need(self, own: Requirement | None, requirement: Requirement) -> Need:
        key = (own, requirement)
        need = self.needs.get(key)
        if need is None:
            need = self.needs[key] = Need(key)
            need.profiles = [one for one in self.profiles.values() if need.met_by(one.skills)]
        return need

    def need_of(self, contact: Contact) -> Need:
        return self.need_at(contact, contact.relaxed)

    def need_at(self, contact: Contact, step: int) -> Need:
        """What it needs once so many relaxation steps have passed."""
        return self.need(for_anybody(contact.own), requirement_at(contact, step))

    def needs_of(self, contact: Contact) -> tuple[Need, ...]:
        """What it needs now, and what it would need at each step that load may open."""
        return tuple(self.need_at(contact, step) for step in (contact.relaxed, *steps_ahead(contact)))

    def bucket_of(self, contact: Contact) -> Bucket:
        self._sweep()
        needs = self.needs_of(contact)
        need, *ahead = needs
        final = contact.unroutable == NOBODY_ANSWERS
        key: BucketKey = (
            (need.own, need.requirement), contact.channel, contact.medium, contact.target_seconds,
            self.asked_now(contact), final, is_short(contact), tuple(one.requirement for one in ahead),
        )  # fmt: skip
        bucket = self.buckets.get(key)
        if bucket is None:
            bucket = self.buckets[key] = Bucket(key, needs)
            if ahead:
                self.opening[bucket] = None
            for profile in (profile for one in ahead for profile in one.profiles):
                profile.opening[bucket] = None
            for profile in need.profiles:
                profile.buckets.setdefault(bucket.kind, {})[bucket] = None
        return bucket

    def asked_now(self, contact: Contact) -> Asked:
        """(agent, shift) of who was asked in this round and of who is being asked, ascending."""
        if not contact.offers:
            return contact.asked
        asking = ((offer.agent_id, self.desks[offer.agent_id].agent.shift) for offer in contact.offers)
        return tuple(sorted((*contact.asked, *asking)))

    def _sweep(self) -> None:
        """Drop empty buckets once they are many; which ones there are decides nothing."""
        if len(self.buckets) < BUCKETS_EMPTY_MAX or len(self.buckets) < 2 * self._live:
            return
        self.buckets = {key: bucket for key, bucket in self.buckets.items() if bucket.live}
        self.opening = {bucket: None for bucket in self.opening if bucket.live}
        needs = (need for bucket in self.buckets.values() for need in bucket.needs)
        self.needs = {(need.own, need.requirement): need for need in needs}
        for profile in self.profiles.values():
            profile.sweep()

    # -- waiting ------------------------------------------------------------------------------------------------

    def count(self, before: str | None, after: str | None) -> None:
        """A contact has left the line of one queue, and stands in another's."""
        if before == after:
            return
        if before is not None:
            self.lengths[before] -= 1
        if after is not None:
            self.lengths[after] = self.lengths.get(after, 0) + 1

    def enter(self, contact: Contact) -> None:
        """The contact is sought for: when its group's offer ends, by those it is held for, or in a bucket by anyone."""
        if contact.group is not None:
            self.groups.setdefault(contact.group, {})[contact.id] = contact
            return
        if contact.opens_at is not None:
            pass  # Nowhere: its queue is closed.
        elif contact.last_agent_until is not None:
            for agent_id in first_choices(contact.own, contact.last_agent):
                self.held.setdefault(agent_id, {})[contact.id] = contact
        else:
            bucket = self.places[contact.id] = self.bucket_of(contact)
            bucket.push(contact)
            self._live += bucket.live == 1
            self.fronts.line_up(bucket, self.contacts)
            self.short += bucket.short
            self.incidents.enter(contact)
        if contact.asked and contact.state == "waiting" and contact.unroutable != NOBODY_ANSWERS:
            self.bounced[contact.id] = contact
        if contact.to_place:
            heappush(self.arrivals, (contact.waiting_since, contact.id))
        if self.draining and (ids := self.draining.get(contact.rules.queue)) is not None:
            place = bisect_left(ids, contact.id)
            if place == len(ids) or ids[place] != contact.id:
                ids.insert(place, contact.id)

    def waiting_in(self, queue_id: str) -> list[str]:
        """Ids of who waits in a queue, ascending. Looks at every contact: for a queue as a whole only."""
        there = (one.id for one in self.contacts.values() if one.state == "waiting" and one.rules.queue == queue_id)
        return sorted(there)

    def seek(self, contact: Contact) -> None:
        """Somebody may be able to take it now: the next `Settle` looks."""
        if not contact.to_place and contact.group is None:
            contact.to_place = True
            heappush(self.arrivals, (contact.waiting_since, contact.id))

    def feed(self, desk: Desk) -> None:
        """The agent may have room for something: the next `Settle` looks. Paused work goes on without presence."""
        if (desk.peers is not None or desk.paused) and not desk.agent.to_fill:
            desk.agent.to_fill = True
            heappush(self.hungry, desk.agent.id)

    def let_go(self, desk: Desk) -> None:
        """The agent may have put down the last contact before leaving: the next `Settle` looks."""
        if desk.may_leave:
            heappush(self.leavers, desk.agent.id)

    def leave(self, contact: Contact) -> None:
        """The contact waits no longer, or elsewhere: whatever led to it is dead."""
        contact.version += 1
        self.bounced.pop(contact.id, None)
        self.incidents.leave(contact)
        if contact.group is not None and contact.group in self.groups:
            joining = self.groups[contact.group]
            joining.pop(contact.id, None)
            if not joining:
                del self.groups[contact.group]
        bucket = self.places.pop(contact.id, None)
        if bucket is not None:
            bucket.forget(contact.id, self.contacts)
            self._live -= bucket.live == 0
            self.fronts.line_up(bucket, self.contacts)
            self.short -= bucket.short
        for agent_id in first_choices(contact.own, contact.last_agent):
            kept = self.held.get(agent_id, {})
            if kept.pop(contact.id, None) is not None and not kept:
                del self.held[agent_id]

    def flag(self, contact: Contact, reason: str | None) -> None:
        """Set or end the flag that nobody can or will take it."""
        if contact.unroutable == NO_AGENT:
            del self.dead_ends[bisect_left(self.dead_ends, contact.id)]
        contact.unroutable = reason
        if reason == NO_AGENT:
            insort(self.dead_ends, contact.id)

    def reweigh(self) -> None:
        """The weights have changed: list those whose boost follows others."""
        after = self.pool.reweigh_after
        behind = (one.id for one in self.contacts.values() if self.is_behind(one))
        self.to_reweigh = [] if after is None else sorted(one for one in behind if one > after)

    def is_behind(self, contact: Contact) -> bool:
        """Whether it waits, or may wait again, by weights that are no longer the pool's."""
        return contact.state in ("waiting", "offered") and contact.policy_version != self.policy.version

    # -- the work that `Settle` does ----------------------------------------------------------------------------

    def first_leaver(self) -> Desk | None:
        """The agent to let go next."""
        while self.leavers:
            desk = self.desks[self.leavers[0]]
            if desk.may_leave:
                return desk
            heappop(self.leavers)
        return None

    def first_hungry(self) -> Desk | None:
        """The agent to pick for next."""
        while self.hungry:
            desk = self.desks.get(self.hungry[0])
            if desk is not None and desk.agent.to_fill:
                return desk
            heappop(self.hungry)
        return None

    def first_arrival(self) -> Contact | None:
        """The contact to place next."""
        while self.arrivals:
            contact = self.contacts.get(self.arrivals[0][1])
            if contact is not None and contact.to_place and is_sought_for(contact):
                return contact
            heappop(self.arrivals)
        return None

    def has_work(self) -> bool:
        rechecks = self.pool.recheck_after is not None
        some = rechecks or self.first_hungry() is not None or self.first_arrival() is not None
        return some or self.first_leaver() is not None

    # -- restore ------------------------------------------------------------------------------------------------

    def rebuild(self) -> None:
        """Everything that follows from the entities, in an order that depends on ids alone."""
        self.order_queues()
        self.draining = {one.id: [] for _, one in sorted(self.queues.items()) if one.drain_to is not None}
        self._seen = {(seen.own, seen.requirement, seen.calls): None for seen in self.pool.seen}
        for _, desk in sorted(self.desks.items()):
            self.configure(desk)
            self.hungry += [desk.agent.id] if desk.agent.to_fill else []
        for _, contact in sorted(self.contacts.items()):
            self._rebuild_contact(contact)
        self.dead_ends.sort()
        self.reweigh()
        for desk in self.desks.values():
            desk.stand_up()
            desk.sit_down()
            self.let_go(desk)

    def _rebuild_contact(self, contact: Contact) -> None:
        base, generation = base_and_generation(contact.id)
        if generation > 1:
            self.heads[base] = contact.id
        if contact.unroutable == NO_AGENT:
            self.dead_ends.append(contact.id)
        self.count(None, line_of(contact))
        for holder in holders_of(contact):
            self.desks[holder].take(contact)
        if is_sought_for(contact):
            self.enter(contact)
        elif contact.state == "parked" and contact.agent_id in self.desks:
            self.desks[contact.agent_id].park(contact)
