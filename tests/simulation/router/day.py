"""A random day in a pool: one seed draws the rules, the agents, their habits and everything that happens.

Bots answer to what is emitted, so the day goes the same way whatever is restored in between. The last hours bring
patient agents who take everything: whoever still waits then would have waited for ever.
"""

from __future__ import annotations

from heapq import heappop, heappush
from random import Random
from typing import Any

import msgspec

from libs.common.events import SECOND, Event, commands, contacts, routing
from libs.common.events.consults import consulted
from libs.common.events.values import BusinessHours, Match, Overflow, Predicate, Reach, Requirement, Skip
from services.auditor.promises import Auditor, Violation
from services.router.core.core import RouterCore
from services.router.core.state import holders_of
from tests.simulation.router import builders as b
from tests.simulation.router.driver import PoolDriver

HOURS = 3
ALL_INTERRUPT = {"async": ("live", "voice"), "live": ("voice",)}
SKILLS = ("billing", "tech", "vip", "lang:it", "lang:de")
OPEN = tuple((b.START + first * SECOND, b.START + last * SECOND) for first, last in ((1_800, 3_600), (7_200, 200_000)))
"""When queues with hours are open: closed at first and once more, and open when the last agents come."""
SKIPS: tuple[Skip, ...] = ("nobody_available", "never")
QUIET_SECONDS = 4 * 3_600
"""After the day: time enough for every timer and for the last agents to serve whoever is left."""


class Day:
    def __init__(self, seed: int, core: RouterCore | None = None, restores: int = 0) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.pool = PoolDriver(core=core)
        self.auditor = Auditor()
        self.violations: list[Violation] = []
        self.plans: list[tuple[int, int, tuple[Event, ...]]] = []
        self.planned = 0
        self.agents: list[str] = []
        self.habits: dict[str, tuple[float, float]] = {}
        self.opened: list[str] = []
        self.restores = sorted(Random(-seed - 1).randrange(HOURS * 3_600) for _ in range(restores))
        self.diligent = False
        self.help = Random(-seed - 11)
        """Draws who asks whom for help with a contact."""
        self.doors = Random(-seed - 7)
        """Draws what queues do at their doors; the rest of the day is as it would be without."""
        self.load = Random(-seed - 8)
        """Draws the bounds on the expected wait, in the same way."""

    # -- the script ---------------------------------------------------------------------------------------------

    def run(self) -> Day:
        self._set_up()
        for _ in range(self.random.randint(20, 60)):
            self._plan_contact(self.random.randrange(HOURS * 3_600))
        for _ in range(self.random.randint(5, 30)):
            self._plan_trouble(self.random.randrange(HOURS * 3_600))
        for _ in range(self.random.randint(5, 20)):
            self._plan_move(self.random.randrange(HOURS * 3_600))
        self._plan_new_weights_and_privacy(Random(-self.seed - 2))
        for _ in range(self.doors.randint(0, 3)):
            goal = self.doors.choice([None, "q0", "q1", "everyone"])
            gone = b.make(commands.DeleteQueue, queue_id=self.doors.choice(["q0", "q2"]), unused=True, migrate_to=goal)
            self._plan(self.doors.randrange(HOURS * 3_600), gone)
        self._play(HOURS * 3_600)
        self._closing_time()
        self._play(HOURS * 3_600 + QUIET_SECONDS)
        self.violations += [
            Violation("P9", key, contact, self.pool.now, "still waits though everybody is free")
            for key, contact in self.auditor.waiting()
        ]
        return self

    def _set_up(self) -> None:
        r = self.random
        for number in range(r.randint(0, 3)):
            self._do(*self._queue(f"q{number}"))
        if r.random() < 0.7:
            self._do(*b.target("fast", r.choice([60, 300, 900]), visibility="public"))
        for number in range(r.randint(1, 6)):
            agent_id = f"agent{number}"
            self.agents.append(agent_id)
            self.habits[agent_id] = (r.choice([0.0, 0.1, 0.5]), r.choice([0.0, 0.1, 0.4]))
            self._do(*self._agent(agent_id))

    def _queue(self, queue_id: str) -> tuple[Event, ...]:
        r = self.random
        match = r.choice([Match(channel=("x", "chat")), Match(medium="async"), Match(tier="gold"), Match()])
        steps = sorted(r.sample([10, 60, 300, 900], r.randint(0, 2)))
        relaxing = tuple(
            b.relax(step, *(["billing"] if i == 0 and r.random() < 0.5 else []), skip=r.choice(SKIPS))
            for i, step in enumerate(steps)
        )
        parallel = r.choice([1, 1, 2, 3, 5])
        relaxing = tuple(msgspec.structs.replace(one, wait_over_seconds=self._bound(one.skip)) for one in relaxing)
        return b.queue(
            queue_id, match=match, order=r.randint(1, 3), relax=relaxing,
            requirement=r.choice([None, Requirement(), b.need("billing:2"), b.need("tech")]),
            offer_seconds=r.choice([5, 20, 60]), parallel_offers=parallel,
            offer_seconds_by_medium=r.choice([{}, {}, {"voice": 10}]),
            auto_accept=r.choice([(), (), ("voice",), ("live", "voice")]), offers_max=r.randint(1, 5),
            wrap_up_seconds=r.choice([0, 0, 30]), last_agent_seconds=r.choice([0, 45, 120]),
            fallback_queue=r.choice([None, "everyone", "everyone" if queue_id == "q0" else "q0"]),
            group_by_incident=parallel == 1 and r.random() < 0.5, group_max=r.choice([2, 3, 20]),
            language_skill=r.random() < 0.3, language_level=r.randint(1, 3),
            **self._door(queue_id),
        )  # fmt: skip

    def _bound(self, skip: Skip = "nobody_available") -> int | None:
        bound = self.load.choice([None, None, 1, 60, 600])
        return bound if skip == "nobody_available" else None

    def _door(self, queue_id: str) -> dict[str, Any]:
        """Half the queues take whoever comes; of the others some keep hours, some are short, some send on."""
        r = self.doors
        if r.random() < 0.5:
            return {}
        goal = r.choice([one for one in ("q0", "q1", "q2", "everyone") if one != queue_id])
        after, longer = r.choice([(5, None), (60, 3), (600, None), (None, 1)])
        hours = r.choice([None, BusinessHours(hours="of the test", open=OPEN)])
        return {
            "overflow": Overflow(queue=goal, after_seconds=after, longer_than=longer, wait_over_seconds=self._bound()),
            "max_length": r.choice([None, 1, 4]), "hours": hours,
            "closed": r.choice(["wait", "overflow", "refuse"]) if hours is not None else "wait",
            "when": r.choice([None, Predicate(field="reach", op="gte", value=1_000),
                              Predicate(not_=Predicate(field="topics", op="exists", value=True))]),
        }  # fmt: skip

    def _agent(self, agent_id: str) -> tuple[Event, ...]:
        r = self.random
        skilled = {skill: r.randint(1, 5) for skill in SKILLS if r.random() < 0.6}
        if r.random() < 0.8:
            skilled["public"] = 3
        put, available = b.agent(
            agent_id, *(f"{skill}:{level}" for skill, level in skilled.items()),
            missed_offers_max=r.choice([0, 1, 3]),
            units=r.choice([40, 100, 120]), max=r.choice([{}, {"voice": 1}, {"email": 2, "live": 1}]),
            interrupted_by=r.choice([{}, ALL_INTERRUPT, {"async": ("voice",)}]), wake_up_reserve=r.choice([0, 0, 20]),
        )  # fmt: skip
        return (put, available) if r.random() < 0.8 else (put,)

    def _plan_contact(self, second: int) -> None:
        r = self.random
        contact_id = f"con_{len(self.opened)}"
        self.opened.append(contact_id)
        needs = [f"{skill}:{r.randint(1, 4)}" for skill in SKILLS if r.random() < 0.12]
        prefer, exclude = (tuple(r.sample(self.agents, r.choice([0, 0, 0, 1]))) for _ in range(2))
        asked = Requirement(all=b.need(*needs).all, prefer_agents=prefer, exclude_agents=exclude)
        fields: dict[str, Any] = {
            "channel": r.choice(sorted(b.CHANNELS)), "reach": int(10 ** r.uniform(0, 6)),
            "sentiment": r.uniform(-1, 1), "tier": r.choice(["standard", "silver", "gold"]),
            "incident_key": r.choice([None, "outage", "recall"]), "language": r.choice([None, "it", "de-AT"]),
            "requirement": asked if r.random() < 0.5 else None,
            "strikes": r.randint(0, 3), "last_agent": r.choice([None, *self.agents]),
            "occurred_at": b.START + (second - r.choice([0, 0, 30])) * SECOND,
        }  # fmt: skip
        fact = b.opened(contact_id, *needs, **fields)
        self._plan(second, fact)
        if r.random() < 0.1:
            self._plan(second + 1, fact)
        if r.random() < 0.4:
            self._plan(second + r.randrange(2_000), self._later(contact_id, needs, fields, second))

    def _later(self, contact_id: str, needs: list[str], fields: dict[str, Any], second: int) -> Event:
        r = self.random
        at = b.START + second * SECOND
        return r.choice([
            b.added(contact_id, *needs, **(fields | {"occurred_at": at})),
            b.added(contact_id, *needs, author="bystander", **fields),
            b.response(contact_id, occurred_at=at), b.response(contact_id, occurred_at=at, automatic=True),
            b.left(contact_id), b.withdrawn(contact_id),
            b.make(contacts.ReachChanged, contact_id=contact_id, reach=Reach(views=10 ** r.randint(0, 6))),
            b.make(contacts.ContactEnriched, contact_id=contact_id, sentiment=-1.0, topics=("outage",)),
            b.make(contacts.ContactEnriched, contact_id=contact_id, language="it"),
        ])  # fmt: skip

    def _plan_trouble(self, second: int) -> None:
        r = self.random
        agent_id, contact_id = r.choice(self.agents), r.choice(self.opened)
        speaker = r.choice([None, agent_id])
        about: dict[str, Any] = {"contact_id": contact_id, "agent_id": speaker}
        self._plan(second, r.choice([
            b.presence(agent_id, r.choice(["away", "busy", "offline", "available"])),
            b.presence(agent_id, "available", lease=r.choice([5, 60, 600])),
            b.presence(agent_id, r.choice(["away", "offline"]), when_free=True, reason="break"),
            b.presence(agent_id, until=b.START + (second + r.choice([60, 900])) * SECOND),
            b.make(commands.ExtendWrapUp, agent_id=agent_id, contact_id=contact_id, seconds=r.choice([10, 90])),
            b.make(commands.RenewLeases, leases={agent_id: 30, "ghost": 30}),
            b.make(commands.CloseContact, **about), b.make(commands.AbandonContact, **about),
            b.make(commands.ParkContact, **about, until=b.START + (second + r.choice([60, 900])) * SECOND),
            b.make(commands.ResumeContact, **about), b.make(commands.BreakOut, **about),
            b.make(commands.ReleaseContact, **about),
            b.make(commands.SetPriority, **about, boost=r.choice([0, 100, 250, 900])),
            b.escalation(contact_id, r.choice(["raise_priority", "relax_skills", "reassign", "notify"])),
            b.accept(f"{contact_id}.offer.{r.randint(1, 3)}", speaker),
            b.decline(f"{contact_id}.offer.{r.randint(1, 3)}", speaker),
            b.make(commands.CompleteWrapUp, agent_id=agent_id), b.make(commands.DeleteAgent, agent_id=agent_id),
            self._agent(agent_id)[0], self._queue("q0")[0],
        ]))  # fmt: skip

    def _plan_move(self, second: int) -> None:
        r = self.random
        agent_id, other, contact_id = r.choice(self.agents), r.choice(self.agents), r.choice(self.opened)
        about: dict[str, Any] = {"contact_id": contact_id, "agent_id": r.choice([None, agent_id])}
        at = b.START + (second + 600) * SECOND
        self._plan(second, r.choice([
            b.make(commands.TransferContact, **about, to_queue=r.choice(["q0", "q1", "everyone", "nowhere"])),
            b.make(commands.TransferContact, **about, to_agent=other),
            b.make(commands.TransferContact, **about, requirement=b.need("vip:2")),
            b.make(commands.AssignContact, **about, to_agent=other, forced=r.random() < 0.5),
            b.make(commands.ReferContact, **about, to_pool="sales", closes=r.random() < 0.5),
            b.make(commands.CallBack, **about, callback_at=r.choice([None, at]), closes=r.random() < 0.5),
            b.make(commands.RequeueAgent, agent_id=agent_id),
            b.make(commands.DrainQueue, queue_id=r.choice(["q0", "q1"]), to_queue=r.choice(["q1", "everyone"])),
        ]))  # fmt: skip

    def _plan_new_weights_and_privacy(self, r: Random) -> None:
        """By a chance of its own: everything else of the day is as it would be without."""
        for _ in range(r.randint(0, 6)):
            second, contact_id = r.randrange(HOURS * 3_600), r.choice(self.opened)
            weights = {"reach": r.randint(0, 250), "velocity": r.choice([0, 100])}
            said = {"visibility": r.choice(["public", "private"]), "moved_to_private": r.random() < 0.5}
            at = b.START + second * SECOND
            self._plan(second, r.choice([
                b.make(commands.PutPolicy, weights=weights), b.response(contact_id, occurred_at=at, **said),
            ]))  # fmt: skip

    def _closing_time(self) -> None:
        """From now on agents with every skill take everything, and everybody else does too."""
        self.diligent = True
        every = [f"{skill}:5" for skill in (*SKILLS, "public")]
        for agent_id in ("night1", "night2"):
            self.agents.append(agent_id)
            self.habits[agent_id] = (0.0, 0.0)
            self._do(*b.agent(agent_id, *every, units=1_200))
        for agent_id in list(self.agents):
            self._do(b.presence(agent_id, "away"), b.presence(agent_id, lease=86_400))

    # -- the bots -----------------------------------------------------------------------------------------------

    def _react(self, event: Event) -> None:
        match event:
            case routing.ContactOffered():
                self._on_offer(event)
            case routing.ContactAssigned():
                self._on_assigned(event)
            case routing.ContactWrapUpStarted() if self.random.random() < 0.3:
                self._soon(5, b.make(commands.ExtendWrapUp, agent_id=event.agent_id, contact_id=event.contact_id,
                                     seconds=self.random.choice([10, 50, 70])))  # fmt: skip
            case _:
                pass

    def _on_offer(self, offer: routing.ContactOffered) -> None:
        r = self.random
        declines, ignores = (0.0, 0.0) if self.diligent else self.habits[offer.agent_id]
        after = r.choice([1, 5, 19, 20, 21])
        luck = r.random()
        if luck < ignores:
            return
        answer = b.decline if luck < ignores + declines else b.accept
        self._soon(after if not self.diligent else 1, answer(offer.offer_id, offer.agent_id))
        if r.random() < 0.2:
            self._soon(after, answer(offer.offer_id, r.choice([None, *self.agents])))

    def _on_assigned(self, event: routing.ContactAssigned) -> None:
        r = self.random
        after = r.randrange(10, 900)
        about: dict[str, Any] = {"contact_id": event.contact_id, "agent_id": event.agent_id}
        self._plan_consult(event, after)
        if r.random() < 0.5 and consulted(event.contact_id) is None:
            self._soon(after // 2, b.response(event.contact_id, occurred_at=self.pool.now))
        end = b.make(commands.CloseContact, **about)
        if r.random() < 0.2 and not self.diligent:
            end = r.choice([b.make(commands.ReleaseContact, **about), b.make(commands.ParkContact, **about)])
        if self.doors.random() < 0.15 and not self.diligent:
            goal = self.doors.choice(["q0", "everyone"])
            self._soon(after // 3, b.make(commands.TransferContact, **about, to_queue=goal))
        self._soon(after, end)

    def _plan_consult(self, event: routing.ContactAssigned, until: int) -> None:
        """Who has a contact asks a queue or a colleague, now and then; one of the two may end it, or something else."""
        r, about = self.help, {"contact_id": event.contact_id, "agent_id": event.agent_id}
        if r.random() < 0.3:
            goal = r.choice([{"to_queue": r.choice(["q0", "q1", "everyone"])}, {"to_agent": r.choice(self.agents)}])
            self._soon(r.randrange(until), b.make(commands.Consult, **about, **goal))
        origin = consulted(event.contact_id)
        if origin is not None:
            speaker = r.choice([None, *self.agents])
            said: dict[str, Any] = {"contact_id": event.contact_id, "agent_id": speaker}
            one = r.choice([b.close(**said), b.make(commands.ReleaseContact, **said),
                            b.make(commands.ParkContact, **said)])  # fmt: skip
            other = b.make(commands.TransferContact, contact_id=origin, agent_id=None, to_agent=r.choice(self.agents))
            self._soon(r.randrange(until), one if self.diligent or r.random() < 0.7 else other)

    # -- time ---------------------------------------------------------------------------------------------------

    def _plan(self, second: int, *events: Event) -> None:
        self.planned += 1
        heappush(self.plans, (b.START + second * SECOND, self.planned, events))

    def _soon(self, seconds: int, event: Event) -> None:
        self.planned += 1
        heappush(self.plans, (self.pool.now + seconds * SECOND, self.planned, (event,)))

    def _play(self, until_second: int) -> None:
        until = b.START + until_second * SECOND
        while self.pool.now < until:
            self._maybe_restore()
            plan = self.plans[0][0] if self.plans else until
            due = self.pool.core.next_due(self.pool.state)
            moment = min(plan, until if due is None else due, until)
            self._see(self.pool.advance(max(0, moment - self.pool.now) / SECOND))
            self.violations += self.auditor.pass_time(self.pool.now)
            while self.plans and self.plans[0][0] <= self.pool.now:
                self._do(*heappop(self.plans)[2])

    def _maybe_restore(self) -> None:
        while self.restores and b.START + self.restores[0] * SECOND <= self.pool.now:
            self.restores.pop(0)
            shuffled = sorted(self.pool.stored)
            Random(self.seed).shuffle(shuffled)
            self.pool.restore(shuffled)

    def _do(self, *events: Event) -> None:
        for event in events:
            self._see(self.pool.receive(event))
            self._look_at_consults()

    def _look_at_consults(self) -> None:
        """Whoever helps, helps somebody who has the contact and is somebody else."""
        floor = self.pool.floor
        for one in floor.contacts.values():
            if one.consult_of is None or one.state == "wrap_up":
                continue
            origin = floor.contacts.get(one.consult_of)
            stands = origin is not None and origin.state == "assigned" and one.id in origin.consults
            if not stands or (origin is not None and origin.agent_id in holders_of(one)):
                detail = f"{one.state} with {holders_of(one)} for {origin}"
                self.violations.append(Violation("consult", self.pool.key, one.id, self.pool.now, detail))

    def _see(self, events: list[Event]) -> None:
        for emitted in self.pool.emitted[len(self.pool.emitted) - len(events) :]:
            self.violations += self.auditor.take(emitted.event, emitted.sequence)
        for event in events:
            self._react(event)
