"""The product's router in a world: its agents, queues and targets as configuration, its contacts as facts.

Every agent accepts at once. A contact needs the skill of its channel, and its language at the level of a fluent
speaker, which is relaxed at once to any level: fluent agents are wanted, not waited for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from libs.common.events import Event, pool_key, workspace_key
from libs.common.events.commands import (
    AcceptOffer,
    CloseContact,
    Command,
    PutAgent,
    PutPolicy,
    PutQueue,
    SetPresence,
)
from libs.common.events.contacts import ContactOpened, CustomerLeft
from libs.common.events.escalations import TargetUpdated
from libs.common.events.routing import ContactAssigned, ContactOffered, ContactPaused, ContactResumed
from libs.common.events.values import Capacity, Match, QueueRules, Reach, RelaxStep, Requirement, SkillNeed, Tier
from services.router.core.core import RouterCore
from services.simulator.core_pool import CorePool
from services.simulator.play import START, Move, Paused, Resumed, Started
from services.simulator.scenarios import FLUENT_LEVEL, HORIZON_SECONDS_MAX, UNITS, Scenario
from services.simulator.worlds import Worker, World

KEY: Final = pool_key("simulation", "main")
EVERYWHERE: Final = workspace_key("simulation")
ACTOR: Final = "simulator"
TIERS: Final[tuple[Tier, ...]] = ("standard", "silver", "gold")
INTERRUPTED_BY: Final[dict[str, tuple[str, ...]]] = {"async": ("voice", "live")}


class CoreRouter:
    def __init__(
        self, world: World, weights: Mapping[str, int] | None = None, core: RouterCore | None = None
    ) -> None:
        """`weights` in thousandths, as a pool's policy has them; None for the defaults. Raises Refused."""
        self.world = world
        self.pool = CorePool(core)
        self.pool.configure(configuration(world, weights), START)
        self.needs = [_needs(_channel_skill(name)) for name in world.scenario.names]

    # -- what happens -------------------------------------------------------------------------------------------

    def arrive(self, contact: int, now: int) -> list[Move]:
        return self._moves(self.pool.feed(self._opened(contact, now), now), now)

    def leave(self, contact: int, now: int) -> list[Move]:
        left = CustomerLeft(key=KEY, at=now, contact_id=contact_id(contact), occurred_at=now)
        return self._moves(self.pool.feed(left, now), now)

    def finish(self, contact: int, now: int) -> list[Move]:
        close = CloseContact(
            key=KEY, at=now, command_id=f"close.{contact}", actor=ACTOR, contact_id=contact_id(contact)
        )
        return self._moves(self.pool.feed(close, now), now)

    def next_due(self) -> int | None:
        return self.pool.next_due()

    def wake(self, now: int) -> list[Move]:
        return self._moves(self.pool.fire(now), now)

    # -- what follows -------------------------------------------------------------------------------------------

    def _moves(self, decided: Iterable[Event], now: int) -> list[Move]:
        """Offers are accepted, one after the other, with all that follows from that."""
        moves: list[Move] = []
        to_read = list(decided)
        for event in to_read:
            match event:
                case ContactOffered():
                    to_read += self.pool.feed(self._accept(event, now), now)
                case ContactAssigned():
                    moves.append(Started(number(event.contact_id), number(event.agent_id)))
                case ContactResumed(reason="unpaused"):
                    moves.append(Resumed(number(event.contact_id)))
                case ContactPaused():
                    moves.append(Paused(number(event.contact_id)))
        return moves

    def _accept(self, offer: ContactOffered, now: int) -> AcceptOffer:
        return AcceptOffer(
            key=KEY, at=now, command_id=f"accept.{offer.offer_id}", actor=ACTOR, offer_id=offer.offer_id,
            agent_id=offer.agent_id,
        )  # fmt: skip

    def _opened(self, contact: int, now: int) -> ContactOpened:
        arrival = self.world.arrivals[contact]
        channel = self.world.scenario.channels[arrival.channel]
        return ContactOpened(
            key=KEY, at=now, contact_id=contact_id(contact), message_id=f"msg_{contact:07}", account=channel.name,
            channel=channel.name, medium=channel.medium, visibility=channel.visibility,
            customer_id=f"cus_{contact:07}", occurred_at=now, language=self.world.scenario.langs[arrival.language],
            sentiment=-arrival.displeasure, tier=TIERS[arrival.tier], strikes=arrival.strikes,
            reach=Reach(views=int(arrival.reach)), requirement=self.needs[arrival.channel],
            queue=_queue(self.world.scenario.langs[arrival.language]),
        )  # fmt: skip


def contact_id(number: int) -> str:
    return f"con_{number:07}"


def agent_id(number: int) -> str:
    return f"agent_{number:05}"


def number(identity: str) -> int:
    return int(identity.rpartition("_")[2])


# -- configuration ----------------------------------------------------------------------------------------------


def configuration(world: World, weights: Mapping[str, int] | None) -> Iterator[Event]:
    scenario = world.scenario
    for channel in scenario.channels:
        yield TargetUpdated(
            key=EVERYWHERE, at=START, target_id=channel.name, target_version=1, match=Match(channel=channel.name),
            metric="first_response", seconds=channel.T,
        )  # fmt: skip
    relaxed = any(level < FLUENT_LEVEL for worker in world.workers for level in worker.languages.values())
    for language in scenario.langs:
        skill = _language_skill(language)
        steps = (RelaxStep(0, _needs(skill)),) if relaxed else ()
        rules = QueueRules(requirement=_needs(skill, FLUENT_LEVEL), relax=steps)
        yield _put(PutQueue, queue_id=_queue(language), rules=rules)
    if weights is not None:
        yield _put(PutPolicy, weights=dict(weights))
    for one, worker in enumerate(world.workers):
        yield _put(
            PutAgent, agent_id=agent_id(one), skills=_skills(scenario, worker), capacity=_capacity(scenario)
        )
        yield _put(SetPresence, agent_id=agent_id(one), status="available", lease_seconds=HORIZON_SECONDS_MAX)


def _put(kind: type[Command], **fields: Any) -> Command:
    subject = "".join(str(fields.get(name, "")) for name in ("queue_id", "agent_id"))
    return kind(key=KEY, at=START, command_id=f"{kind.type}.{subject}", actor=ACTOR, **fields)


def _skills(scenario: Scenario, worker: Worker) -> dict[str, int]:
    channels = {_channel_skill(scenario.channels[channel].name): 1 for channel in worker.channels}
    return channels | {_language_skill(scenario.langs[one]): level for one, level in worker.languages.items()}


def _capacity(scenario: Scenario) -> Capacity:
    cost = {channel.name: channel.units for channel in scenario.channels}
    return Capacity(units=UNITS, cost={"voice": UNITS, "live": UNITS, "async": UNITS} | cost,
                    max={"voice": 1}, interrupted_by=INTERRUPTED_BY)  # fmt: skip


def _needs(skill: str, level: int = 1) -> Requirement:
    return Requirement(all=(SkillNeed(skill=skill, level=level),))


def _channel_skill(name: str) -> str:
    return f"channel:{name}"


def _language_skill(language: str) -> str:
    return f"lang:{language}"


def _queue(language: str) -> str:
    return f"lang-{language}"
