"""What an agent with room takes next: three lanes, in this order, each with its own credit per agent.

1. Ageing: a whole credit, and something that fits has waited 95 % of its target: plain round robin over channels, the
   earliest a + T inside the channel. The pointer must be plain round robin: counters would break the bound on waiting.
2. Express: a whole credit, and a public contact of reach ≥ 1,000 fits: the largest reach. The credit is spent only if
   that differs from the main pick.
3. Main: the highest score; of equals what stands in a queue that the agent prefers, then the lower id.

Where nothing waits that fits, an agent is asked beside others for a contact whose queue wants several asked at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nsmallest
from typing import NamedTuple

from libs.common.events.routing import Lane
from services.router.core.choice import everyone_was_asked, first_choice, still_asked
from services.router.core.desks import Desk, Peers
from services.router.core.floor import Floor
from services.router.core.limits import (
    AGEING_CREDIT_A_PICK,
    AGEING_CREDIT_MAX,
    AGEING_SHARE_PERCENT,
    EARLY_UNIT,
    EXPRESS_CREDIT_A_PICK,
    EXPRESS_CREDIT_MAX,
    RUNNERS_UP_MAX,
    WHOLE_CREDIT,
)
from services.router.core.queues import Bucket, Score, is_higher, score_of, top
from services.router.core.state import Agent, Contact

Front = tuple[int, int, str]
"""A contact that fits, the first of its bucket or held for the agent: its score as a fraction, and its id."""


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
    buckets = fitting(floor, desk)
    fronts = fronts_of(buckets, now)
    if desk.agent.id in floor.held:
        fronts += held_fronts(floor, desk, now)
    if not fronts:
        return beside(floor, desk, now)
    agent = desk.agent
    main = highest(floor, fronts, agent)[2]
    ageing = min(AGEING_CREDIT_MAX, agent.ageing_credit + AGEING_CREDIT_A_PICK)
    express = min(EXPRESS_CREDIT_MAX, agent.express_credit + EXPRESS_CREDIT_A_PICK)
    lane: Lane = "main"
    chosen, channel = main, agent.ageing_channel
    if ageing >= WHOLE_CREDIT and (aged := oldest(floor, buckets, agent, now)) is not None:
        (chosen, channel), lane, ageing = aged, "ageing", ageing - WHOLE_CREDIT
    elif express >= WHOLE_CREDIT and (widest := largest(floor, buckets)) not in (None, main):
        assert widest is not None
        chosen, lane, express = widest, "express", express - WHOLE_CREDIT
    contact = floor.contacts[chosen]
    return Pick(
        contact=contact,
        lane=lane,
        ageing_credit=ageing,
        express_credit=express,
        ageing_channel=channel,
        runners_up=runners_up(fronts, chosen),
        ahead=0 if lane == "main" else ahead(fronts, score_of(contact, now)),
        asked_again=agent.id in still_asked(floor, contact.asked),
    )


def beside(floor: Floor, desk: Desk, now: int) -> Pick | None:
    """Nothing waits for this agent: they are asked beside others, for the highest score. No lane moves."""
    fronts = fronts_of(fitting(floor, desk, short=True), now) if floor.short else []
    if not fronts:
        return None
    agent, chosen = desk.agent, highest(floor, fronts, desk.agent)[2]
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


def fitting(floor: Floor, desk: Desk, *, short: bool = False) -> list[Bucket]:
    """Buckets with something that the agent has the skills and the room for and wasn't asked for in vain.

    Of contacts that wait, or of those that are `short` of offers.
    """
    peers = desk.peers
    if peers is None:
        return []
    own = [
        bucket
        for kind, buckets in peers.profile.buckets.items()
        if peers.has_room(kind)
        for bucket in buckets
        if bucket.live and bucket.short is short and (bucket.is_anybodys or is_open(floor, bucket, desk))
    ]
    opened = (bucket for bucket in peers.profile.opening if bucket.short is short and opens(bucket, peers))
    return own + [bucket for bucket in opened if is_open(floor, bucket, desk)]


def is_open(floor: Floor, bucket: Bucket, desk: Desk) -> bool:
    """Whether this one of the agents with the skills may have what is in it."""
    return desk.agent.id not in bucket.need.excluded and (not bucket.asked or may_ask(floor, bucket, desk))


def opens(bucket: Bucket, peers: Peers) -> bool:
    """Whether load has opened a bucket to agents who don't meet its contacts' need yet."""
    if not bucket.live or not peers.has_room(bucket.kind):
        return False
    need = bucket.open_need
    return need is not bucket.need and peers.profile in need.profiles


def may_ask(floor: Floor, bucket: Bucket, desk: Desk) -> bool:
    """Decliners are asked again once everyone able was; for what nobody answers, never in the same shift.

    While others have room it is placed among all of them, so that the last decliner doesn't pick it at once.
    """
    asked, need = still_asked(floor, bucket.asked), bucket.open_need
    if desk.agent.id not in asked:
        return True
    if bucket.final or bucket.short or not everyone_was_asked(floor, need, bucket.kind, asked):
        return False
    return not any(
        peers.has_room(bucket.kind) and peers.first(need.excluded | {desk.agent.id}) is not None
        for profile in need.profiles
        for peers in profile.peers.values()
    )


def fronts_of(buckets: list[Bucket], now: int) -> list[Front]:
    fronts = []
    for bucket in buckets:
        entry = bucket.front
        assert entry is not None, "a bucket with somebody in it has a front"
        late = now - entry[0] - bucket.target
        fronts.append((late, bucket.target if late >= 0 else EARLY_UNIT, entry[1]))
    return fronts


def held_fronts(floor: Floor, desk: Desk, now: int) -> Iterator[Front]:
    """Contacts that are held for this agent take part in the main lane."""
    for contact in floor.held[desk.agent.id].values():
        if first_choice(floor, contact) is desk:
            yield (*score_of(contact, now), contact.id)


def highest(floor: Floor, fronts: list[Front], agent: Agent) -> Front:
    """The front of the highest score; of equal ones that of a queue that the agent prefers, then of the lower id."""
    best = fronts[0]
    best_late, best_unit, _ = best
    for front in fronts:
        left, right = front[0] * best_unit, best_late * front[1]
        if left > right or (left == right and _before(floor, agent, front[2], best[2])):
            best = front
            best_late, best_unit, _ = best
    return best


def _before(floor: Floor, agent: Agent, one: str, other: str) -> bool:
    def rank(contact_id: str) -> tuple[bool, str]:
        return floor.contacts[contact_id].rules.queue not in agent.preferred_queues, contact_id

    return rank(one) < rank(other)


def oldest(floor: Floor, buckets: list[Bucket], agent: Agent, now: int) -> tuple[str, str] | None:
    """(contact, channel) whose turn it is in the ageing lane."""
    turns: dict[str, tuple[int, str]] = {}
    for bucket in buckets:
        entry = top(bucket.ageing, floor.contacts)
        if entry is None or (now - entry[0]) * 100 < AGEING_SHARE_PERCENT * bucket.target:
            continue
        due = (entry[0] + bucket.target, entry[1])
        turns[bucket.channel] = min(due, turns.get(bucket.channel, due))
    if not turns:
        return None
    channel = min(turns, key=lambda name: (name <= agent.ageing_channel, name))
    return turns[channel][1], channel


def largest(floor: Floor, buckets: list[Bucket]) -> str | None:
    """The public contact with the largest reach; of equals the lower id."""
    entries = (top(bucket.express, floor.contacts) for bucket in buckets if bucket.express)
    widest = min((entry[:2] for entry in entries if entry is not None), default=None)
    return widest[1] if widest is not None else None


def runners_up(fronts: list[Front], chosen: str) -> tuple[str, ...]:
    """The next contacts by score, as far as the fronts tell."""
    order = [(-late * 1_000_000_000 // unit, contact) for late, unit, contact in fronts if contact != chosen]
    return tuple([contact for _, contact in nsmallest(RUNNERS_UP_MAX, order)])


def ahead(fronts: list[Front], score: Score) -> int:
    return sum(is_higher((late, unit), score) for late, unit, _ in fronts)
