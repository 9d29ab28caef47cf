"""Random histories for the core and for the same policy written down plainly: the same decisions, one by one."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.common.events import Event, commands, routing
from libs.common.events.values import Capacity, RelaxStep, Requirement, SkillNeed, Skip
from services.router.core.core import RouterCore
from tests.simulation.router import builders as b
from tests.simulation.router.brute_force import BruteForce, Decision
from tests.simulation.router.driver import PoolDriver
from tests.simulation.router.lively import AGENTS, SKILLS, History, lively
from tests.simulation.router.plain import TARGETS
from tests.simulation.router.slips import SLIPS

CONTACTS = tuple(f"con_{n}" for n in range(12))
LONG_HISTORIES = 30
SLIP_HISTORIES = 60
MODEL_HISTORIES = 2_000 if os.environ.get("CI") == "true" else 200
HISTORIES = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True)

levels = st.integers(1, 3)
skill_sets = st.dictionaries(st.sampled_from(SKILLS), levels, max_size=3)
needs = st.builds(SkillNeed, skill=st.sampled_from(SKILLS), level=levels)
requirements = st.builds(
    Requirement, all=st.tuples() | st.tuples(needs), any=st.tuples() | st.tuples(needs, needs),
    none=st.tuples() | st.tuples() | st.tuples() | st.tuples(needs),
)  # fmt: skip
capacities = st.fixed_dictionaries({
    "units": st.sampled_from([20, 40, 120, 160]),
    "max": st.sampled_from([{}, {}, {"voice": 1}, {"email": 1, "live": 2}]),
})  # fmt: skip


def step(number: int, requirement: Requirement) -> RelaxStep:
    """Some steps insist on their time, others are passed while nobody is there for those before, or pass at once."""
    skip: Skip = "never" if requirement.none else "nobody_available"
    after_seconds = 0 if requirement.any and not number else 30 * (number + 1)
    return RelaxStep(after_seconds=after_seconds, requirement=requirement, skip=skip)


queues = st.fixed_dictionaries({
    "requirement": requirements, "offers_max": st.integers(1, 4), "offer_seconds": st.sampled_from([5, 20]),
    "last_agent_seconds": st.sampled_from([0, 45]),
    "relax": st.lists(requirements, max_size=2).map(lambda steps: tuple(step(n, one) for n, one in enumerate(steps))),
})  # fmt: skip
contacts = st.fixed_dictionaries({
    "channel": st.sampled_from(sorted(TARGETS)), "reach": st.sampled_from([0, 10, 2_000, 50_000]),
    "sentiment": st.sampled_from([0.0, -1.0, 0.5]), "tier": st.sampled_from(["standard", "silver", "gold"]),
    "strikes": st.integers(0, 3), "last_agent": st.none() | st.sampled_from(AGENTS),
    "requirement": st.none() | requirements,
})  # fmt: skip
some_contact, some_agent = st.sampled_from(CONTACTS), st.sampled_from(AGENTS)
actions = st.one_of(
    st.tuples(st.just("open"), st.tuples(some_contact, contacts)),
    st.tuples(st.just("open"), st.tuples(some_contact, contacts)),
    st.tuples(st.just("agent"), st.tuples(some_agent, skill_sets, capacities)),
    st.tuples(st.just("presence"), st.tuples(some_agent, st.sampled_from(["available", "available", "away"]))),
    st.tuples(st.just("wait"), st.sampled_from([1, 5, 17, 30, 120, 1_500])),
    st.tuples(st.sampled_from(["accept", "accept", "decline", "close", "release"]), some_contact),
)
histories = st.tuples(queues, st.lists(actions, min_size=5, max_size=60))


class Pair:
    """The core and the plain policy, fed alike."""

    def __init__(self, queue: dict[str, Any], core: RouterCore | None = None) -> None:
        put = b.put_queue(**queue)
        self.pool = PoolDriver(*(b.target(name, seconds, channel=name) for name, seconds in TARGETS.items()), core=core)
        self.pool.receive(put)
        self.plain = BruteForce(put.rules)
        self.feed(*b.agent("ann", "billing:2", "public:1"), *b.agent("bob", "tech:1"))

    def feed(self, *events: Event) -> None:
        for event in events:
            self.plain.now = self.pool.now
            self.agree([told(one) for one in self.pool.receive(event)], self.plain.receive(event))

    def wait(self, seconds: int) -> None:
        emitted = self.pool.advance(seconds)
        self.agree([told(one) for one in emitted], self.plain.advance(self.pool.now))

    def agree(self, decided: list[Decision | None], expected: list[Decision]) -> None:
        assert [one for one in decided if one is not None] == expected

    def act(self, name: str, what: Any) -> None:
        match name:
            case "wait":
                self.wait(what)
            case "open":
                contact, fields = what
                self.feed(b.opened(contact, **{"occurred_at": self.pool.now} | fields))
            case "agent":
                agent, skills, capacity = what
                self.feed(b.make(commands.PutAgent, agent_id=agent, skills=skills, capacity=Capacity(**capacity)))
            case "presence":
                agent, status = what
                self.feed(b.presence(agent, status))
            case "close" | "release":
                kind = commands.CloseContact if name == "close" else commands.ReleaseContact
                self.feed(b.make(kind, contact_id=what))
            case "accept" | "decline":
                work = self.plain.work.get(what)
                offer = f"{what}.offer.{work.offers if work is not None else 1}"
                self.feed(b.accept(offer) if name == "accept" else b.decline(offer))


def play(history: History, core: RouterCore | None = None) -> None:
    """Raises AssertionError at the first decision that differs."""
    queue, script = history
    pair = Pair(queue, core)
    for name, what in script:
        pair.act(name, what)


@settings(HISTORIES, max_examples=MODEL_HISTORIES)
@given(histories)
def test_the_core_decides_as_the_policy_says(history: History) -> None:
    play(history)


@pytest.mark.parametrize("seed", range(LONG_HISTORIES))
def test_it_decides_so_on_long_days_too(seed: int) -> None:
    play(lively(seed))


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip.__name__)
def test_a_slip_is_seen(slip: type[RouterCore]) -> None:
    """A long history shows that the broken core decides otherwise."""
    assert any(differs(lively(seed), slip) for seed in range(SLIP_HISTORIES)), slip.__name__


def differs(history: History, slip: type[RouterCore]) -> bool:
    try:
        play(history, slip())
    except AssertionError:
        return True
    return False


def told(event: Event) -> Decision | None:
    """What a public event says was decided about a contact; None for the rest."""
    match event:
        case routing.ContactQueued(): return ("queued", event.contact_id)
        case routing.ContactOffered(): return ("offered", event.contact_id, event.agent_id, event.lane)
        case routing.OfferDeclined(): return ("declined", event.contact_id, event.agent_id)
        case routing.OfferExpired(): return ("expired", event.contact_id, event.agent_id)
        case routing.OfferWithdrawn(): return ("withdrawn", event.contact_id, event.agent_id)
        case routing.ContactAssigned(): return ("assigned", event.contact_id, event.agent_id)
        case routing.ContactReleased(): return ("released", event.contact_id, event.agent_id)
        case routing.ContactRelaxed(): return ("relaxed", event.contact_id, event.step)
        case routing.ContactClosed(): return ("closed", event.contact_id, event.agent_id)
        case routing.ContactUnroutable(unroutable=True): return ("unroutable", event.contact_id, event.reason)
        case routing.ContactUnroutable(): return ("routable", event.contact_id)
        case _: return None
