"""A pool as large as one likes, for measuring: random skills, churn, relaxation, and agents who may be interrupted.

Every agent holds one contact that is answered in its own time, and no more of those; what comes of that kind therefore
waits, and a pick follows when one is done. Everybody has room for a chat and a call: those who come find somebody.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from time import process_time
from typing import Final

from benchmarks.picks import KEY, Counter
from libs.common.events import SECOND, commands, contacts
from libs.common.events.commands import Command
from libs.common.events.values import (
    Capacity,
    Match,
    Medium,
    QueueRules,
    Reach,
    RelaxStep,
    Requirement,
    SkillNeed,
    Visibility,
)
from services.router.core.desks import Desk
from services.router.core.state import Contact, Entity, offer_id

PROFILES_MAX: Final = 300
TICK: Final = SECOND // 1_000
"""Between two contacts."""
LANGUAGES: Final = tuple(f"lang:{one}" for one in ("it", "de", "en", "fr", "es", "pt", "nl", "pl"))
TOPICS: Final = tuple(f"topic{number:02}" for number in range(50))
WRITTEN: Final[tuple[tuple[str, Visibility], ...]] = (("email", "private"), ("x", "public"), ("whatsapp", "private"))
SPOKEN: Final[tuple[tuple[str, Medium], ...]] = (("chat", "live"), ("phone", "voice"))
SENIOR_SHARE: Final = 0.1
DECLINED_SHARE: Final = 0.03
CHURN_SHARE: Final = 0.02
"""Of the turns, those before which an agent goes or comes back."""
EXACTING_SHARE: Final = 0.05
"""Of the contacts, those that ask for a senior agent, and for anybody a second later."""


class World(Counter):
    def __init__(self, agents: int, requirements: int, declined_share: float = DECLINED_SHARE) -> None:
        super().__init__()
        self.random = Random(1)
        self.declined_share = declined_share
        self.opened = 0
        self.kept: dict[str, Entity | None] | None = None
        """What the state topic would hold, once somebody wants to know."""
        self.agents = [f"agent{number:05}" for number in range(agents)]
        profiles = [self._skills() for _ in range(min(agents, PROFILES_MAX))]
        self.needs = some_needs(self.random, profiles, requirements)
        self.run(exacting_queue(self.now))
        for number, agent_id in enumerate(self.agents):
            self._hire(agent_id, profiles[number % len(profiles)], interrupts=number % 3 == 0)

    def _skills(self) -> dict[str, int]:
        r = self.random
        known = [*r.sample(LANGUAGES, 3), *r.sample(TOPICS, 15), "public"]
        known += ["senior"] if r.random() < SENIOR_SHARE else []
        return {skill: r.randint(2, 5) for skill in known}

    def _hire(self, agent_id: str, skills: dict[str, int], *, interrupts: bool) -> None:
        capacity = Capacity(
            units=160 if interrupts else 180, max={"async": 1},
            interrupted_by={"async": ("voice", "live")} if interrupts else {},
        )  # fmt: skip
        put = commands.PutAgent(
            key=KEY, at=self.now, command_id="", actor="", agent_id=agent_id, skills=skills, capacity=capacity
        )
        self.run(put, self._presence(agent_id, "available"))

    def _presence(self, agent_id: str, status: str) -> Command:
        return commands.SetPresence(
            key=KEY, at=self.now, command_id="", actor="", agent_id=agent_id, status=status,  # type: ignore[arg-type]
            lease_seconds=31 * 86_400,
        )  # fmt: skip

    # -- contacts -----------------------------------------------------------------------------------------------

    def message(self, channel: str, medium: Medium, visibility: Visibility) -> contacts.ContactOpened:
        r = self.random
        self.opened += 1
        return contacts.ContactOpened(
            key=KEY, at=self.now, contact_id=f"con_{self.opened:08}", message_id="m", channel=channel, medium=medium,
            account="exacting" if r.random() < EXACTING_SHARE else "usual", visibility=visibility,
            customer_id=f"cus_{self.opened:08}", occurred_at=self.now - r.randrange(20_000) * SECOND,
            sentiment=r.uniform(-1, 1), strikes=r.randint(0, 3), reach=Reach(views=int(10 ** r.uniform(0, 6))),
            requirement=r.choice(self.needs),
        )  # fmt: skip

    def write(self) -> None:
        """A customer writes: it waits, unless somebody who is able has none."""
        channel, visibility = self.random.choice(WRITTEN)
        self.run(self.message(channel, "async", visibility))
        self.go_on()

    def fill(self, waiting: int) -> Iterator[int]:
        """Customers write until so many wait."""
        while self.waiting < waiting:
            self.write()
            yield self.waiting

    def go_on(self) -> None:
        """A tick passes: what is due happens, and who was asked answers."""
        self.now += TICK
        self.core.advance(self.state, self.now)
        while (timer := self.core.pop_timer(self.state, self.now)) is not None:
            self.run(timer)
        self.answer()

    def answer(self) -> None:
        while asked := self._offered():
            contact, offer = asked
            kind = commands.DeclineOffer if self.random.random() < self.declined_share else commands.AcceptOffer
            self.run(kind(key=KEY, at=self.now, command_id="", actor="", offer_id=offer_id(contact, offer)))

    def _offered(self) -> tuple[Contact, int] | None:
        for key, entity in self.state.changes.items():
            if key.startswith("contact|") and isinstance(entity, Contact) and entity.offers:
                return entity, entity.offers[0].number
        self.drain()
        return None

    def drain(self) -> None:
        changed = self.core.changed(self.state)
        if self.kept is not None:
            self.kept.update(changed)

    # -- what is measured ---------------------------------------------------------------------------------------

    def pick(self) -> float:
        """Seconds in which an agent whose work is done gets something else. Who finds nothing isn't counted."""
        seconds = None
        while seconds is None:
            seconds = self._turn()
        return seconds

    def finish(self) -> Desk:
        """An agent's work is done; they haven't picked yet."""
        self.churn()
        contact_id, desk = self._busy()
        self.take(self._close(contact_id))
        return desk

    def _turn(self) -> float | None:
        self.finish()
        before, begin = self.waiting, process_time()
        self.settle()
        seconds, found = process_time() - begin, self.waiting < before
        self.go_on()
        self.write()
        return seconds if found else None

    def arrive(self) -> float:
        """Seconds in which a chat or a call is queued and finds its agent, who is soon done with it."""
        self.churn()
        fact = self.message(*self.random.choice(SPOKEN), "private")
        begin = process_time()
        self.run(fact)
        seconds = process_time() - begin
        self.go_on()
        self.run(self._close(fact.contact_id))
        self.go_on()
        return seconds

    def churn(self) -> None:
        """Sometimes an agent goes away, or comes back who had gone."""
        if self.random.random() < CHURN_SHARE:
            agent_id = self.random.choice(self.agents)
            here = self._desk(agent_id).agent.status == "available"
            self.run(self._presence(agent_id, "away" if here else "available"))
            self.go_on()

    def _busy(self) -> tuple[str, Desk]:
        """A written contact that an available agent works on."""
        while True:
            agent_id = self.random.choice(self.agents)
            desk = self._desk(agent_id)
            if desk.agent.status != "available":
                self.run(self._presence(agent_id, "available"))  # However few they are, somebody works.
                self.go_on()
            written = (one.id for one in desk.held.values() if one.medium == "async" and one.state == "assigned")
            if (found := next(written, None)) is not None:
                return found, desk

    def _close(self, contact_id: str) -> Command:
        return commands.CloseContact(key=KEY, at=self.now, command_id="", actor="", contact_id=contact_id)

    def _desk(self, agent_id: str) -> Desk:
        return self.state.floor(KEY).desks[agent_id]


def some_needs(random: Random, profiles: list[dict[str, int]], count: int) -> list[Requirement]:
    """So many different ones, each met by somebody: a language and a topic, each at a level."""
    needs: dict[Requirement, None] = {}
    while len(needs) < count:
        skills = random.choice(profiles)
        asked = (random.choice([one for one in skills if one in names]) for names in (LANGUAGES, TOPICS))
        levels = tuple(SkillNeed(skill=one, level=random.randint(1, skills[one])) for one in asked)
        needs[Requirement(all=levels)] = None
    return list(needs)


def exacting_queue(at: int) -> Command:
    rules = QueueRules(
        match=Match(account="exacting"), requirement=Requirement(all=(SkillNeed(skill="senior"),)),
        relax=(RelaxStep(after_seconds=1, requirement=Requirement()),),
    )  # fmt: skip
    return commands.PutQueue(key=KEY, at=at, command_id="", actor="", queue_id="exacting", rules=rules)
