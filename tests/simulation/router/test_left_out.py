"""Nobody is left out: looked at plainly after every event, whoever could be asked for a contact is being asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from libs.common.events import Event
from services.router.core.core import RouterCore
from services.router.core.desks import Desk
from services.router.core.floor import NOBODY_ANSWERS, Floor
from services.router.core.partition import Partition
from services.router.core.requirements import meets
from services.router.core.state import Contact, requirement_at
from tests.simulation.router.day import Day

DAYS = 15


def left_out(floor: Floor) -> Iterator[str]:
    """Every agent, looked at for every contact that more should be asked for."""
    for contact in floor.contacts.values():
        if wants_more(contact):
            yield from (f"{contact.id}: {agent}" for agent, desk in floor.desks.items() if could_take(desk, contact))


def wants_more(contact: Contact) -> bool:
    """It waits for anybody, or is being asked of too few; a flagged one is for who becomes free, and behind a closed
    door nobody is asked."""
    elsewhere = contact.group is not None or contact.opens_at is not None
    held = contact.last_agent_until is not None or elsewhere or contact.unroutable == NOBODY_ANSWERS
    asked_in_vain, live = contact.bounces, len(contact.offers)
    few = live < contact.rules.parallel_offers and asked_in_vain + live < contact.rules.offers_max
    return not held and (contact.state == "waiting" or (contact.state == "offered" and few))


def could_take(desk: Desk, contact: Contact) -> bool:
    agent = desk.agent
    able = meets(agent.skills, requirement_at(contact, contact.relaxed)) and meets(agent.skills, contact.own)
    room = desk.fits((contact.channel, contact.medium), desk.margins())
    asked = (agent.id, agent.shift) in contact.asked or any(one.agent_id == agent.id for one in contact.offers)
    excluded = contact.own is not None and agent.id in contact.own.exclude_agents
    return agent.status == "available" and able and room and not asked and not excluded


class Watched(Day):
    """A day in which somebody looks after every event."""

    def _see(self, events: list[Event]) -> None:
        super()._see(events)
        assert not list(left_out(self.pool.floor)), f"seed {self.seed}"


@pytest.mark.parametrize("seed", range(DAYS))
def test_whoever_could_be_asked_is_asked(seed: int) -> None:
    Watched(seed, restores=seed % 3).run()


class ForgetsToTopUp(RouterCore):
    """A decline beside other live offers is not made up for."""

    def evolve(self, state: Partition, event: Event) -> None:
        super().evolve(state, event)
        if event.type == "offer.declined":
            contact = state.floor(event.key).contacts[event.subject]
            contact.to_place = contact.to_place and not contact.offers


def test_a_lapse_is_seen() -> None:
    days = (Watched(seed, ForgetsToTopUp()) for seed in range(100))
    with pytest.raises(AssertionError, match="seed"):
        list(map(Day.run, days))
