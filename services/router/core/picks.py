"""What an agent with room takes next: three lanes, in this order, each with its own credit per agent.

1. Ageing: a whole credit, and something that fits has waited 95 % of its target: plain round robin over channels, the
   earliest a + T inside the channel. The pointer must be plain round robin: counters would break the bound on waiting.
2. Express: a whole credit, and a public contact of reach ≥ 1,000 fits: the largest reach. The credit is spent only if
   that differs from the main pick.
3. Main: the highest score; of equals what stands in a queue that the agent prefers, then the lower id.

Where nothing waits that fits, an agent is asked beside others for a contact whose queue wants several asked at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import NamedTuple

from libs.common.events import SECOND
from libs.common.events.routing import Lane
from services.router.core.choice import first_choice, still_asked
from services.router.core.desks import Desk
from services.router.core.floor import Floor
from services.router.core.limits import (
    AGEING_CREDIT_A_PICK,
    AGEING_CREDIT_MAX,
    AGEING_SHARE_PERCENT,
    EXPRESS_CREDIT_A_PICK,
    EXPRESS_CREDIT_MAX,
    RUNNERS_UP_MAX,
    WHOLE_CREDIT,
)
from services.router.core.queues import (
    AGEING,
    EXPRESS,
    MAIN,
    Bucket,
    Entry,
    due_of,
    exactly,
    score_at,
    score_of,
)
from services.router.core.sight import Sight, fitting
from services.router.core.state import Agent, Contact

Front = tuple[int, bool, str]
"""A contact that fits, the first of its bucket or held for the agent: by score, the highest first, of equals what
stands in a queue that the agent prefers, then by id. (Score, exactly and negative; whether in another queue; id.)"""


class Pick(NamedTuple):
    contact: Contact
    lane: Lane
    ageing_credit: int
    express_credit: int
    ageing_channel: str
    runners_up: tuple[str, ...]
    ahead: int
    asked_again: bool


def pick(floor: Floor, desk: Desk, now: int) -> Pick | None:
    """The best waiting contact that fits the agent by the lanes; None when nothing fits."""
    if desk.peers is None:
        return None
    sight = Sight(floor, desk)
    fronts = in_order(floor, desk, sight, now)
    first = next(fronts, None)
    if first is None:
        return beside(floor, desk, now)
    agent, chosen = desk.agent, first[2]
    ageing = min(AGEING_CREDIT_MAX, agent.ageing_credit + AGEING_CREDIT_A_PICK)
    express = min(EXPRESS_CREDIT_MAX, agent.express_credit + EXPRESS_CREDIT_A_PICK)
    lane: Lane = "main"
    channel = agent.ageing_channel
    if ageing >= WHOLE_CREDIT and (aged := oldest(sight.firsts(AGEING), agent, now)) is not None:
        (chosen, channel), lane, ageing = aged, "ageing", ageing - WHOLE_CREDIT
    elif express >= WHOLE_CREDIT and (widest := largest(sight.firsts(EXPRESS))) not in (None, chosen):
        assert widest is not None
        chosen, lane, express = widest, "express", express - WHOLE_CREDIT
    contact = floor.contacts[chosen]
    return Pick(
        contact=contact,
        lane=lane,
        ageing_credit=ageing,
        express_credit=express,
        ageing_channel=channel,
        runners_up=runners_up(chain((first,), fronts), chosen),
        ahead=0 if lane == "main" else ahead(floor, desk, sight, contact, now),
        asked_again=agent.id in still_asked(floor, contact.asked),
    )


def beside(floor: Floor, desk: Desk, now: int) -> Pick | None:
    """Nothing waits for this agent: they are asked beside others, for the highest score. No lane moves."""
    short = fitting(floor, desk, short=True) if floor.short else []
    fronts = sorted(fronts_of(floor, desk.agent, short, now))
    if not fronts:
        return None
    agent, chosen = desk.agent, fronts[0][2]
    return Pick(
        contact=floor.contacts[chosen],
        lane="main",
        ageing_credit=agent.ageing_credit,
        express_credit=agent.express_credit,
        ageing_channel=agent.ageing_channel,
        runners_up=runners_up(fronts, chosen),
        ahead=0,
        asked_again=False,
    )


# -- the main lane ------------------------------------------------------------------------------------------------


def in_order(floor: Floor, desk: Desk, sight: Sight, now: int) -> Iterator[Front]:
    """The first contacts that fit, the best first."""
    agent = desk.agent
    apart = [*fronts_of(floor, agent, sight.apart, now), *held_fronts(floor, desk, now)]
    return merge(sorted(apart), *(fronts_along(floor, agent, line, now) for line in sight.along(MAIN)))


def fronts_of(floor: Floor, agent: Agent, buckets: Iterable[Bucket], now: int) -> Iterator[Front]:
    for bucket in buckets:
        first = bucket.firsts[MAIN]
        assert first is not None, "in what fits somebody waits"
        assert floor.places.get(first[1]) is bucket, "who comes first in a bucket waits there"
        yield front(floor, agent, first[1], first[0] + bucket.target, bucket.target, now)


def fronts_along(floor: Floor, agent: Agent, line: Iterator[Bucket], now: int) -> Iterator[Front]:
    fronts = fronts_of(floor, agent, line, now)
    if not agent.preferred_queues:
        return fronts
    return (one for _, equal in groupby(fronts, key=itemgetter(0)) for one in sorted(equal))


def front(floor: Floor, agent: Agent, contact_id: str, due: int, target: int, now: int) -> Front:
    preferred = agent.preferred_queues
    elsewhere = bool(preferred) and floor.contacts[contact_id].rules.queue not in preferred
    return -exactly(score_at(due, target, now)), elsewhere, contact_id


def held_fronts(floor: Floor, desk: Desk, now: int) -> Iterator[Front]:
    """Contacts that are held for this agent take part in the main lane."""
    for contact in floor.held.get(desk.agent.id, {}).values():
        if first_choice(floor, contact) is desk:
            yield front(floor, desk.agent, contact.id, due_of(contact), contact.target_seconds * SECOND, now)


def runners_up(fronts: Iterable[Front], chosen: str) -> tuple[str, ...]:
    """The next contacts by score, as far as the fronts tell."""
    return tuple(islice((contact for _, _, contact in fronts if contact != chosen), RUNNERS_UP_MAX))


def ahead(floor: Floor, desk: Desk, sight: Sight, contact: Contact, now: int) -> int:
    """How many of the first contacts that fit have a higher score than the one who was chosen in another lane."""
    score = -exactly(score_of(contact, now))
    return sight.count_before(contact, now) + sum(one[0] < score for one in held_fronts(floor, desk, now))


# -- the other lanes ----------------------------------------------------------------------------------------------


def oldest(firsts: Iterable[tuple[Bucket, Entry]], agent: Agent, now: int) -> tuple[str, str] | None:
    """(contact, channel) whose turn it is in the ageing lane."""
    turns: dict[str, tuple[int, str]] = {}
    for bucket, (since, contact, _) in firsts:
        if (now - since) * 100 < AGEING_SHARE_PERCENT * bucket.target:
            continue
        due = (since + bucket.target, contact)
        turns[bucket.channel] = min(due, turns.get(bucket.channel, due))
    if not turns:
        return None
    channel = min(turns, key=lambda name: (name <= agent.ageing_channel, name))
    return turns[channel][1], channel


def largest(firsts: Iterable[tuple[Bucket, Entry]]) -> str | None:
    """The public contact with the largest reach; of equals the lower id."""
    widest = min((entry[:2] for _, entry in firsts), default=None)
    return widest[1] if widest is not None else None
