"""What the policy guarantees, against arrivals that want to break it: no starvation, and the price of publicity.

Agents take one contact at a time and are always busy, so every offer is a pick. The adversary sees everything and
adds, before each pick, what would go ahead of the contact that is watched.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from libs.common.events import SECOND, Event
from services.router.core.explain import explain
from services.router.core.limits import AGEING_CREDIT_A_PICK, EXPRESS_CREDIT_A_PICK, WHOLE_CREDIT
from tests.simulation.router.builders import accept, agent, close, opened
from tests.simulation.router.driver import PoolDriver

ONE_AT_A_TIME: dict[str, Any] = {"units": 20, "cost": {"voice": 20, "live": 20, "async": 20}}
TARGETS = {"email": 14_400, "x": 900, "chat": 60, "voice": 20}
PSI = AGEING_CREDIT_A_PICK / WHOLE_CREDIT
PHI = EXPRESS_CREDIT_A_PICK / WHOLE_CREDIT
WATCHED = "con_watched"


def busy_pool(agents: int) -> PoolDriver:
    """Everybody has a contact already."""
    pool = PoolDriver(*(agent(f"agent{n}", "public", **ONE_AT_A_TIME) for n in range(agents)))
    for number in range(agents):
        pool.receive(opened(f"con_first{number}"), accept(f"con_first{number}.offer.1"))
    return pool


def waits(pool: PoolDriver, contact_id: str, channel: str, share: float, **fields: object) -> Event:
    """A contact of this channel that has waited this share of its target."""
    since = pool.now - round(share * TARGETS[channel] * SECOND)
    event: Event = opened(contact_id, channel=channel, occurred_at=since, **fields)
    return event


def picks_until_served(pool: PoolDriver, most: int, add: Callable[[], list[Event]], random: Random) -> int:
    """How many picks it takes until the watched contact is one; gives up beyond `most`."""
    for count in range(1, most + 2):
        pool.receive(*add())
        holder = random.choice(sorted(one.id for one in pool.floor.contacts.values() if one.state == "assigned"))
        pool.receive(close(holder))
        contact_id, _ = pool.offers()[-1]
        if contact_id == WATCHED:
            return count
        pool.receive(accept(pool.events("contact.offered")[-1].offer_id))
        pool.advance(random.choice([0, 0, 1]))
    return most + 1


@pytest.mark.parametrize("seed", range(12))
def test_nobody_starves_whatever_arrives(seed: int) -> None:
    """Served within (m + 1 + |E|) · C/ψ picks from 0.95 T on, m of its own channel being older."""
    random = Random(seed)
    agents, older = random.randint(1, 3), random.randint(0, 3)
    channel = random.choice(["email", "x", "chat"])
    pool = busy_pool(agents)
    pool.receive(waits(pool, WATCHED, channel, 0.95))
    pool.receive(*(waits(pool, f"con_older{n}", channel, 0.96 + n / 100) for n in range(older)))
    number = iter(range(10**6))

    def flood() -> list[Event]:
        """Later than anything in targets, seen by millions, and of every other channel."""
        others = [other for other in TARGETS if other != channel]
        return [
            waits(pool, f"con_flood{next(number)}", other, random.uniform(1, 500), reach=5_000_000, strikes=3)
            for other in random.choices(others, k=2)
        ]

    bound = round((older + 1 + agents) * len(TARGETS) / PSI)
    assert picks_until_served(pool, bound, flood, random) <= bound, f"seed {seed}"


@pytest.mark.parametrize("seed", range(12))
def test_publicity_has_its_price(seed: int) -> None:
    """With n ahead in main order: served within (n + 1 + 2|E|)/(1 − φ − ψ) picks, whoever else is seen by millions."""
    random = Random(1_000 + seed)
    agents, ahead = random.randint(1, 3), random.randint(0, 20)
    pool = busy_pool(agents)
    pool.receive(waits(pool, WATCHED, "email", 0.97))
    pool.receive(*(waits(pool, f"con_ahead{n}", "email", 0.975 + n / 10_000) for n in range(ahead)))
    pool.receive(*(waits(pool, f"con_aged{n}", "x", 0.1) for n in range(5)))
    number = iter(range(10**6))

    def famous() -> list[Event]:
        """Posts whose promise comes later, seen by millions."""
        return [waits(pool, f"con_famous{next(number)}", "x", 0, reach=random.randint(10**5, 10**7))]

    shown = explain(pool.floor, pool.contact(WATCHED), pool.now)
    assert shown.ahead == ahead
    bound = int((ahead + 1 + 2 * agents) / (1 - PHI - PSI))
    assert picks_until_served(pool, bound, famous, random) <= bound, f"seed {seed}"


def test_the_express_lane_is_used_at_all() -> None:
    """The price is paid for something: of the posts that millions see every fifth pick takes one."""
    pool = busy_pool(1)
    pool.receive(*(waits(pool, f"con_mail{n}", "email", 0.94, strikes=3) for n in range(50)))
    pool.receive(*(waits(pool, f"con_post{n}", "x", 0, reach=10**6) for n in range(50)))
    for _ in range(30):
        holder = next(one.id for one in pool.floor.contacts.values() if one.state in {"assigned", "offered"})
        pool.receive(close(holder))
    lanes = [one.lane for one in pool.events("contact.offered")]
    assert (lanes.count("express"), lanes.count("main")) == (6, 24)
