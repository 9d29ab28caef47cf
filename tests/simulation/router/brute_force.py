"""The routing policy written down a second time, as plainly as it goes: every decision looks at everybody.

It shares the event classes with the core and nothing else. Whatever it decides slowly, the core must decide likewise.
Times are microseconds, scores exact fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import floor, log10
from typing import Any

from libs.common.events import SECOND, Event, commands, contacts
from libs.common.events.values import Capacity, QueueRules, RelaxStep, Requirement
from tests.simulation.router.plain import Person, Work, alike, meets

Decision = tuple[Any, ...]


class BruteForce:
    def __init__(self, queue: QueueRules) -> None:
        self.now = 0
        self.queue = queue
        self.work: dict[str, Work] = {}
        self.ended: set[str] = set()
        self.people: dict[str, Person] = {}
        self.seen: list[tuple[tuple[Requirement | None, Requirement | None], bool]] = []
        self.recheck = False
        self.said: list[Decision] = []

    def receive(self, event: Event) -> list[Decision]:
        """What follows from it, in order."""
        match event:
            case contacts.ContactOpened(): self.open(event)
            case commands.PutAgent(): self.put_agent(event)
            case commands.SetPresence() if event.agent_id in self.people:
                self.presence(self.people[event.agent_id], event.status == "available")
            case commands.AcceptOffer(): self.answer(event.offer_id, self.accept)
            case commands.DeclineOffer(): self.answer(event.offer_id, self.decline)
            case commands.CloseContact(): self.close(event.contact_id)
            case commands.ReleaseContact(): self.release(event.contact_id)
        self.settle()
        return self.advance(self.now)

    def advance(self, until: int) -> list[Decision]:
        """What falls due until then, in order."""
        while due := sorted((when, one.id, one) for one in self.work.values() for when in self.timers(one)):
            if due[0][0] > until:
                break
            self.now, _, one = due[0]
            self.fall_due(one)
            self.settle()
        self.now = until
        return self.told()

    def told(self) -> list[Decision]:
        said, self.said = self.said, []
        return said

    # -- what happens -------------------------------------------------------------------------------------------

    def open(self, fact: contacts.ContactOpened) -> None:
        if fact.contact_id in self.work or fact.contact_id in self.ended:
            return
        reach = 1 if fact.visibility == "private" else max(1, fact.reach.views, fact.reach.followers)
        tier = 50 * {"standard": 0, "silver": 1, "gold": 2}[fact.tier] / 2
        parts = 130 * min(1.0, log10(reach) / 6), 50 * max(0.0, -fact.sentiment), tier, 100 * fact.strikes / 3
        boost = min(250, int(sum(parts) + 0.5))
        one = Work(fact.contact_id, fact, self.queue, boost, min(fact.occurred_at, self.now), reach)
        one.relaxed_at = self.now
        kind = one.needs(one.relaxed_at_once()), one.calls
        self.seen += [kind] if kind not in self.seen else []
        last = self.people.get(fact.last_agent or "")
        if last is not None and last.available and self.able(last, one, 0):
            promise, quarter = one.since + one.target - boost * one.target // 1_000, one.target // 4
            longest = min(quarter, self.queue.last_agent_seconds * SECOND, 120 * SECOND)
            until = min(self.now + longest, promise - quarter)
            one.held_until = until if until > self.now else 0
        self.work[one.id] = one
        self.say("queued", one.id)

    def put_agent(self, put: commands.PutAgent) -> None:
        known = self.people.setdefault(put.agent_id, Person(put.agent_id, {}, Capacity()))
        known.skills, known.capacity = dict(put.skills), put.capacity
        self.roster_changed(known)
        known.hungry = known.available
        self.recheck = True
        for one in self.waiting():
            if not one.flag and not self.anyone(one, [one.relaxed]):
                one.sought = True

    def presence(self, person: Person, available: bool) -> None:
        if available == person.available:
            return
        for one in sorted(self.held(person), key=lambda one: one.id) if not available else ():
            if one.state == "offered":
                self.say("withdrawn", one.id, person.id)
                self.wait_again(one, person)
        person.available = person.hungry = available
        person.shift += available
        if not available:
            self.roster_changed(person)

    def roster_changed(self, person: Person) -> None:
        """Who was held for somebody gone, and who was asked for in vain, is looked at anew."""
        for one in self.waiting():
            if one.held_until and one.fact.last_agent == person.id and not person.available:
                one.held_until, one.sought = 0, True
            one.sought |= bool(one.asked) and one.flag != "nobody_answers"
            for who in self.people.values() if not one.held_until and self.step(one) > one.relaxed else ():
                who.hungry |= self.has_room(who, one) and self.able(who, one)

    def answer(self, offer_id: str, how: Callable[[Work], None]) -> None:
        contact_id, _, number = offer_id.rpartition(".offer.")
        one = self.work.get(contact_id)
        if one is not None and one.state == "offered" and one.offers == int(number):
            how(one)

    def accept(self, one: Work) -> None:
        one.state, one.asked, one.bounces = "assigned", {}, 0
        self.people[one.agent].assigned_at = self.now
        self.say("assigned", one.id, one.agent)

    def decline(self, one: Work) -> None:
        self.bounce(one, "declined")

    def bounce(self, one: Work, how: str) -> None:
        person = self.people[one.agent]
        self.say(how, one.id, one.agent)
        one.bounces += 1
        one.asked[person.id] = person.shift
        self.wait_again(one, person)
        if one.bounces >= one.queue.offers_max:
            self.say("unroutable", one.id, "nobody_answers")
            one.flag, one.sought = "nobody_answers", False

    def wait_again(self, one: Work, person: Person) -> None:
        one.state, one.agent, one.sought = "waiting", "", True
        person.hungry = person.available

    def close(self, contact_id: str) -> None:
        one = self.work.pop(contact_id, None)
        if one is None:
            return
        self.ended.add(contact_id)
        if one.agent:
            self.people[one.agent].hungry = self.people[one.agent].available
        if one.state == "offered":
            self.say("withdrawn", contact_id, one.agent)
        self.say("closed", contact_id, one.agent if one.state == "assigned" else None)

    def release(self, contact_id: str) -> None:
        one = self.work.get(contact_id)
        if one is not None and one.state == "assigned":
            person = self.people[one.agent]
            self.say("released", one.id, one.agent)
            one.asked[person.id] = person.shift
            self.wait_again(one, person)
            one.bounces = one.held_until = 0
            one.relaxed_at = self.now
            self.say("queued", one.id)

    # -- time ---------------------------------------------------------------------------------------------------

    def timers(self, one: Work) -> Iterator[int]:
        if one.state in {"waiting", "offered"} and one.relaxed < len(one.queue.relax):
            yield self.relax_due(one, one.queue.relax[one.relaxed])
        if one.state == "waiting" and one.held_until:
            yield one.held_until
        if one.state == "offered":
            yield one.expires

    def relax_due(self, one: Work, step: RelaxStep) -> int:
        return one.relaxed_at + step.after_seconds * SECOND

    def fall_due(self, one: Work) -> None:
        if one.state == "offered" and one.expires == self.now:
            self.bounce(one, "expired")
        elif one.state == "waiting" and one.held_until == self.now:
            one.held_until, one.sought = 0, True
        else:
            self.relax(one, one.relaxed + 1)
            one.sought |= one.state == "waiting"

    def relax(self, one: Work, step: int) -> None:
        one.relaxed, one.relaxed_at = step, self.now
        self.say("relaxed", one.id, step)

    # -- offers -------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        while True:
            hungry = sorted(one.id for one in self.people.values() if one.hungry)
            sought = sorted((one.since, one.id) for one in self.waiting() if one.sought)
            if hungry:
                self.fill(self.people[hungry[0]])
            elif sought:
                self.place(self.work[sought[0][1]])
            else:
                break
        for one in sorted(self.waiting(), key=lambda one: one.id) if self.recheck else ():
            if one.flag == "no_agent" and self.anyone(one):
                self.unflag(one)
        self.recheck = False

    def fill(self, person: Person) -> None:
        fits = [one for one in self.waiting() if self.fits(person, one)]
        open_to_all = [one for one in fits if not one.held_until]
        if not fits:
            person.hungry = False
            return
        ageing, express = min(2_000, person.ageing + 100), min(1_000, person.express + 200)
        chosen, lane, channel = min(fits, key=lambda one: (-one.score(self.now), one.id)), "main", person.channel
        due: dict[str, Work] = {}
        for one in sorted(open_to_all, key=lambda one: (one.since + one.target, one.id)):
            if (self.now - one.since) * 100 >= 95 * one.target:
                due.setdefault(one.fact.channel, one)
        wide = [one for one in open_to_all if one.fact.visibility == "public" and one.reach >= 1_000]
        widest = min(wide, key=lambda one: (-one.reach, one.id), default=None)
        if ageing >= 1_000 and due:
            channel = min(due, key=lambda name: (name <= person.channel, name))
            chosen, lane, ageing = due[channel], "ageing", ageing - 1_000
        elif express >= 1_000 and widest not in {None, chosen}:
            assert widest is not None
            chosen, lane, express = widest, "express", express - 1_000
        again = person.id in self.still_asked(chosen)
        person.ageing, person.express, person.channel = ageing, express, channel
        self.offer(chosen, person, lane, again=again)

    def place(self, one: Work) -> None:
        one.sought = False
        if one.held_until:
            last = self.people[one.fact.last_agent or ""]
            if self.has_room(last, one) and self.able(last, one, one.relaxed):
                self.offer(one, last, "arrival")
            else:
                self.look_for_anyone(one)
            return
        able = [who for who in self.people.values() if self.able(who, one) and self.has_room(who, one)]
        fresh = [who for who in able if who.id not in self.still_asked(one)]
        final = one.flag == "nobody_answers"
        again = bool(self.still_asked(one)) and not fresh and not final and self.everyone_was_asked(one)
        if candidates := able if again else fresh:
            self.offer(one, min(candidates, key=lambda who: self.rank(who, one)), "arrival", again=again)
        else:
            self.look_for_anyone(one)

    def look_for_anyone(self, one: Work) -> None:
        if not one.flag and not self.anyone(one):
            one.flag = "no_agent"
            self.say("unroutable", one.id, "no_agent")
        elif one.flag == "no_agent" and self.anyone(one):
            self.unflag(one)

    def unflag(self, one: Work) -> None:
        """Whoever asks again counts anew."""
        one.flag, one.bounces = "", 0
        self.say("routable", one.id)

    def offer(self, one: Work, person: Person, lane: str, *, again: bool = False) -> None:
        if (step := self.step(one)) > one.relaxed:
            self.relax(one, step)
        if one.flag:
            self.unflag(one)
        one.state, one.agent, one.offers, one.sought, one.held_until = "offered", person.id, one.offers + 1, False, 0
        one.expires = self.now + one.queue.offer_seconds * SECOND
        one.asked = {} if again else one.asked
        self.say("offered", one.id, person.id, lane)

    def rank(self, person: Person, one: Work) -> tuple[Any, ...]:
        return (
            not self.able(person, one, 0), self.regret(person, one), self.load(person, one), self.versatility(person),
            person.assigned_at, person.id,
        )  # fmt: skip

    def regret(self, person: Person, one: Work) -> int:
        rivals = [
            other for other in self.waiting()
            if not other.held_until and alike(other) != alike(one) and self.able(person, other, other.relaxed)
            and not (other.calls and any(held.fact.medium == "live" for held in self.held(person)))
        ]  # fmt: skip
        highest = max([-18, *(floor(2 * other.score(self.now) + Fraction(1, 2)) for other in rivals)])
        call = any(calls and meets(person.skills, needs) for needs, calls in self.seen)
        ready = call and self.has_room_for(person, "voice", "voice")
        return max(highest, -1) if ready and not one.calls else highest

    def load(self, person: Person, one: Work) -> tuple[int, int]:
        held = self.held(person)
        interruptible = sum(self.cost(person, other.fact) for other in held if other.fact.medium == "async")
        if one.calls:
            return interruptible, 0
        if one.fact.medium == "live":
            return -sum(other.fact.medium == "live" for other in held), interruptible
        return sum(self.cost(person, other.fact) for other in held), 0

    def versatility(self, person: Person) -> int:
        return sum(meets(person.skills, needs) for needs, _ in self.seen)

    # -- who can ------------------------------------------------------------------------------------------------

    def waiting(self) -> list[Work]:
        return [one for one in self.work.values() if one.state == "waiting"]

    def held(self, person: Person) -> list[Work]:
        return [one for one in self.work.values() if one.agent == person.id]

    def able(self, person: Person, one: Work, step: int | None = None) -> bool:
        return meets(person.skills, one.needs(self.step(one) if step is None else step))

    def step(self, one: Work) -> int:
        """The first step that somebody is there for, of the present one and those that may be passed."""
        here = [who for who in self.people.values() if who.available and self.could_hold(who, one)]
        served = (n for n in (one.relaxed, *one.ahead()) if any(self.able(who, one, n) for who in here))
        return next(served, one.relaxed)

    def cost(self, person: Person, fact: Any) -> int:
        return person.capacity.cost.get(fact.channel, person.capacity.cost[fact.medium])

    def has_room(self, person: Person, one: Work) -> bool:
        return self.has_room_for(person, one.fact.channel, one.fact.medium)

    def has_room_for(self, person: Person, channel: str, medium: str) -> bool:
        held, most = self.held(person), person.capacity.max
        cost = person.capacity.cost.get(channel, person.capacity.cost[medium])
        alike = {name: sum(name in {one.fact.channel, one.fact.medium} for one in held) for name in (channel, medium)}
        used = sum(self.cost(person, one.fact) for one in held)
        return (
            person.available
            and used + cost <= person.capacity.units
            and all(count < most.get(name, 1_000) for name, count in alike.items())
        )

    def could_hold(self, person: Person, one: Work) -> bool:
        names = one.fact.channel, one.fact.medium
        fits = self.cost(person, one.fact) <= person.capacity.units
        return fits and all(person.capacity.max.get(name, 1) > 0 for name in names)

    def anyone(self, one: Work, steps: list[int] | None = None) -> bool:
        steps = list(range(len(one.queue.relax) + 1)) if steps is None else steps
        return any(self.could_hold(who, one) and self.able(who, one, n) for who in self.people.values() for n in steps)

    def still_asked(self, one: Work) -> set[str]:
        people = self.people
        return {who for who, shift in one.asked.items() if people[who].available and people[who].shift == shift}

    def everyone_was_asked(self, one: Work) -> bool:
        able = {who.id for who in self.people.values() if who.available and self.able(who, one)}
        return {who for who in able if self.could_hold(self.people[who], one)} <= self.still_asked(one)

    def fits(self, person: Person, one: Work) -> bool:
        if one.held_until:
            able = one.fact.last_agent == person.id and self.able(person, one, one.relaxed)
            return able and self.has_room(person, one)
        if not (self.has_room(person, one) and self.able(person, one)):
            return False
        if person.id not in self.still_asked(one):
            return True
        others = (who for who in self.people.values() if who is not person and self.able(who, one))
        alone = not any(self.has_room(who, one) for who in others)
        return one.flag != "nobody_answers" and self.everyone_was_asked(one) and alone

    def say(self, *what: Any) -> None:
        self.said.append(what)
