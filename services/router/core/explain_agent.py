"""Why an agent has nothing to do, or no more than what they hold: in the words of a contact's explanation.

A floor with the agent, what the pool's agents hold, and contacts that wait is enough; of these as many as it has are
looked at, the highest score first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cmp_to_key

from services.router.core.choice import still_asked
from services.router.core.desks import Desk
from services.router.core.explain import reason_against
from services.router.core.floor import Floor
from services.router.core.queues import is_higher, score_of
from services.router.core.relaxation import step_now
from services.router.core.state import Contact, units_held
from services.router.core.timers import agent_due


@dataclass(frozen=True, slots=True)
class Held:
    contact_id: str
    state: str
    units: int
    """That it takes now: none while it is paused."""
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some of those who wait aren't the agent's, and the most urgent of them."""

    why: str
    contacts: int
    first: str


@dataclass(frozen=True, slots=True)
class AgentExplanation:
    agent_id: str
    status: str
    reason: str | None
    used_units: int
    units: int
    holds: tuple[Held, ...]
    """What takes the agent's capacity, offers and wrap-ups included; by id."""
    reasons: tuple[Reason, ...]
    """Of the contacts that were looked at, the reason that most of them share first."""
    looked_at: int
    next_change_at: int | None
    """When the agent's lease, or the time to come back, ends."""
    text: str


def explain_agent(floor: Floor, desk: Desk, now: int) -> AgentExplanation:
    agent = desk.agent
    holds = tuple(held(one, agent.id) for _, one in sorted(desk.held.items()))
    waiting = in_order(floor, now)
    reasons = grouped((why_not(floor, desk, one), one.id) for one in waiting)
    return AgentExplanation(
        agent_id=agent.id, status=agent.status, reason=agent.reason, used_units=desk.used,
        units=agent.capacity.units, holds=holds, reasons=reasons, looked_at=len(waiting),
        next_change_at=agent_due(agent) or None, text=in_words(desk, reasons, len(waiting)),
    )  # fmt: skip


def held(contact: Contact, agent_id: str) -> Held:
    paused = contact.paused_at is not None
    return Held(contact.id, contact.state, 0 if paused else units_held(contact, agent_id), paused)


def why_not(floor: Floor, desk: Desk, contact: Contact) -> str:
    return reason_against(desk, contact, still_asked(floor, contact.asked), (), step_now(floor, contact))


def in_order(floor: Floor, now: int) -> list[Contact]:
    """Who waits: the highest score first, of equal ones the lower id."""
    waiting = [one for _, one in sorted(floor.contacts.items()) if one.state == "waiting"]

    def higher_first(one: Contact, other: Contact) -> int:
        mine, theirs = score_of(one, now), score_of(other, now)
        return is_higher(theirs, mine) - is_higher(mine, theirs)

    return sorted(waiting, key=cmp_to_key(higher_first))


def grouped(pairs: Iterable[tuple[str, str]]) -> tuple[Reason, ...]:
    """(why, contact) of each → a reason each, in the order of how many share it, then of the words."""
    groups: dict[str, list[str]] = {}
    for why, contact_id in pairs:
        groups.setdefault(why, []).append(contact_id)
    most_first = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return tuple(Reason(why, len(ids), ids[0]) for why, ids in most_first)


def in_words(desk: Desk, reasons: tuple[Reason, ...], waiting: int) -> str:
    """`away: lunch`, `nothing waits`, `holds 2 contacts; 12 wait: skill billing 2 < 3 (9), held for bob (3)`."""
    return "; ".join([*_standing(desk), _waiting(reasons, waiting)])


def _standing(desk: Desk) -> Iterator[str]:
    agent = desk.agent
    if agent.status != "available":
        yield agent.status if agent.reason is None else f"{agent.status}: {agent.reason}"
    if desk.held:
        yield f"holds {counted(len(desk.held), 'contact')}, {desk.used}/{agent.capacity.units} units"


def _waiting(reasons: tuple[Reason, ...], waiting: int) -> str:
    if not waiting:
        return "nothing waits"
    return f"{counted(waiting, 'contact')} looked at: " + ", ".join(f"{one.why} ({one.contacts})" for one in reasons)


def counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"
