"""The made-up company of the recorded day: its rules, and what happens to it.

A step is an event (made at the time that it is), a message that arrives (a dict), or seconds that pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from libs.common.events import SECOND, Event, commands, contacts
from libs.common.events.values import (
    BusinessHours,
    Capacity,
    EscalationStep,
    Match,
    Overflow,
    Predicate,
    QueueRules,
    Reach,
    RelaxStep,
    Requirement,
    SkillNeed,
)

KEY = "acme/main"
EVERYWHERE = "acme/*"
DAY_SECONDS = 86_400
Step = Callable[[int], Event] | dict[str, Any] | float


def needs(*skills: tuple[str, int], without: tuple[str, ...] = ()) -> Requirement:
    return Requirement(
        all=tuple(SkillNeed(skill=skill, level=level) for skill, level in skills),
        any=(SkillNeed(skill="lang:it", level=2), SkillNeed(skill="lang:en", level=2)),
        none=tuple(SkillNeed(skill=skill) for skill in without),
    )


def command(kind: type[commands.Command], key: str = KEY, **fields: Any) -> Step:
    name = f"cmd_{kind.type}-{'-'.join(str(value) for value in fields.values() if isinstance(value, str))}"
    return lambda now: kind(key=key, at=now, command_id=name, actor="platform", **fields)


def fact(kind: type[contacts.ContactFact], number: int, *, ago: float = 0, **fields: Any) -> Step:
    def make(now: int) -> Event:
        when = {"occurred_at": now - round(ago * SECOND)} if "occurred_at" in kind.__struct_fields__ else {}
        return kind(key=KEY, at=now, contact_id=con(number), **when, **fields)

    return make


def response(number: int, digit: str, **more: Any) -> Step:
    return fact(contacts.ResponseObserved, number, message_id="msg_" + digit * 26, visibility="public", **more)


def con(number: int) -> str:
    return f"con_{number:026d}"


def offer(number: int, nth: int = 1) -> str:
    return f"{con(number)}.offer.{nth}"


def post(number: int, nth: int = 1, **more: Any) -> dict[str, Any]:
    """A public post of the customer with this number."""
    return {
        "contact_id": con(number), "message_id": f"msg_{number:024d}{nth:02d}", "customer": f"cus_{number:026d}",
        "source_id": f"{number}{nth:02d}", "identities": (), "channel": "x", "medium": "async",
        "visibility": "public", "language": "it", "topics": ("billing", "refund"), "sentiment": -0.8,
        "reach": Reach(followers=12_000, views=45_000, reactions=12, shares=30),
        "attributes": {"order_value": 129.9}, **more,
    }  # fmt: skip


def open_days(count: int, *, later_by_hours: int = 0) -> tuple[tuple[int, int], ...]:
    """Open from 8:00 (or later, the first evening) to 22:00 UTC, from 23 November 2026 on."""
    first = 1_795_392_000  # Midnight, in seconds.
    hours = [(first + day * DAY_SECONDS + 8 * 3_600, first + day * DAY_SECONDS + 22 * 3_600) for day in range(count)]
    hours[0] = (hours[0][0], hours[0][1] - later_by_hours * 3_600)
    return tuple((start * SECOND, end * SECOND) for start, end in hours)


def calendar(open_: tuple[tuple[int, int], ...], name: str) -> Step:
    return command(
        commands.PutCalendar, EVERYWHERE, calendar_id="office", hours="Mo-Su 09:00-23:00; PH off",
        timezone="Europe/Rome", country="IT", subdivision=name, open=open_,
    )  # fmt: skip


def queue(queue_id: str, **rules: Any) -> Step:
    return command(commands.PutQueue, queue_id=queue_id, rules=QueueRules(**rules))


def company() -> Iterator[Step]:
    public = Match(visibility="public")
    steps = (EscalationStep(at=0.8, do="raise_priority"), EscalationStep(at=1.0, do="notify", to="supervisors"))
    yield command(commands.PutPool)
    yield command(commands.PutPolicy, weights={"reach": 120, "sentiment": 60, "tier": 40, "strikes": 100})
    yield calendar(open_days(40), "RM")
    for metric, seconds in (("first_response", 900), ("resolution", 40_000)):
        yield command(
            commands.PutTarget, EVERYWHERE, target_id=f"public-{metric}", match=public, metric=metric,
            seconds=seconds, goal=0.85, calendar="office", warn_at=(0.5,), escalate=steps,
        )  # fmt: skip
    yield queue(
        "social", order=10, match=public, requirement=needs(("public", 4), without=("trainee",)),
        relax=(RelaxStep(after_seconds=60, requirement=needs(("public", 3))),),
        offer_seconds=120, offers_max=2, wrap_up_seconds=30, last_agent_seconds=60,
    )  # fmt: skip
    yield queue("everyone", order=1_000_000)
    for agent_id, level in (("ann", 5), ("bob", 4), ("cat", 1)):
        capacity = Capacity(units=100, cost={"voice": 100, "live": 40, "async": 20}, max={"live": 2})
        skills = {"public": level, "lang:it": 5, "billing": 4}
        yield command(commands.PutAgent, agent_id=agent_id, skills=skills, capacity=capacity)
        yield presence(agent_id)


def presence(agent_id: str, status: str = "available", reason: str | None = None) -> Step:
    lease = 14 * DAY_SECONDS
    return command(commands.SetPresence, agent_id=agent_id, status=status, reason=reason, lease_seconds=lease)


def happenings() -> Iterator[Step]:
    yield from answered_and_back()
    yield from nobody_answers()
    yield from gone_before_an_answer()
    yield from answered_elsewhere_in_time()
    yield from gone_private()
    yield from an_incident()
    yield from leases_and_offers_end()
    yield from moved()
    yield from interrupted()
    yield from waits_for_too_long()


def answered_and_back() -> Iterator[Step]:
    """Accepted, parked, resumed, answered, wrapped up; the customer comes back and is given away."""
    yield post(1, queue="social", requirement=Requirement(all=(SkillNeed(skill="billing", level=3),)))
    yield 5
    yield fact(contacts.ContactEnriched, 1, language="it", topics=("billing", "delivery"), sentiment=-0.9)
    yield fact(contacts.ReachChanged, 1, reach=Reach(followers=12_000, views=90_000, reactions=40, shares=75))
    yield command(commands.AcceptOffer, offer_id=offer(1), agent_id="ann")
    yield 60
    until = 1_795_600_000 * SECOND
    yield command(commands.ParkContact, contact_id=con(1), agent_id="ann", until=until, reason="awaiting_customer")
    yield 600
    yield post(1, 2)
    yield 5
    yield response(1, "9", agent_id="ann")
    yield 60
    yield command(commands.CloseContact, contact_id=con(1), agent_id="ann", resolution="refunded")
    yield 20
    yield command(commands.ExtendWrapUp, agent_id="ann", contact_id=con(1), seconds=15)
    yield 40
    yield post(1, 3)
    yield 5
    yield command(commands.AcceptOffer, offer_id=f"{con(1)}.r2.offer.1", agent_id="ann")
    yield command(commands.SetPriority, contact_id=f"{con(1)}.r2", boost=200, reason="press")
    yield command(commands.ReleaseContact, contact_id=f"{con(1)}.r2", agent_id="ann", reason="needs_a_colleague")
    yield command(commands.AbandonContact, contact_id=f"{con(1)}.r2", reason="customer_left")


def nobody_answers() -> Iterator[Step]:
    """Who could doesn't: declined, expired, relaxed, unroutable, warned, breached, escalated, answered late."""
    yield post(2)
    yield command(commands.DeclineOffer, offer_id=offer(2), agent_id="ann", reason="too_busy")
    yield 1_000
    yield response(2, "8")
    yield command(commands.CloseContact, contact_id=con(2), resolution="answered_elsewhere")


def gone_before_an_answer() -> Iterator[Step]:
    """An author deletes a post; another customer leaves."""
    yield post(3)
    yield fact(contacts.ContactWithdrawn, 3, reason="deleted_by_author")
    yield post(4, channel="chat", medium="live", visibility="private")
    yield 5
    yield fact(contacts.CustomerLeft, 4, reason="customer_left")


def answered_elsewhere_in_time() -> Iterator[Step]:
    """An answer is learnt of after the breach, but was given before; the same hours are compiled again."""
    yield post(5)
    yield 950
    yield calendar(open_days(40, later_by_hours=2), "RM")
    yield response(5, "7", ago=600, agent_id="bob")


def gone_private() -> Iterator[Step]:
    """Said in public to go on in private: the customer does, then writes in public again."""
    yield post(7)
    yield command(commands.AcceptOffer, offer_id=offer(7), agent_id="ann")
    yield response(7, "6", agent_id="ann", moved_to_private=True)
    yield 60
    yield post(7, 2, visibility="private")
    yield post(7, 3)
    yield command(commands.CloseContact, contact_id=con(7), resolution="solved")


def an_incident() -> Iterator[Step]:
    """Two posts about the same outage are one piece of work, until one of them isn't."""
    yield queue("outages", requirement=needs(("public", 1)), group_by_incident=True)
    yield presence("ann", "away", "meeting")
    yield presence("bob", "away", "meeting")
    yield presence("cat", "away", "meeting")
    for number in (17, 18):
        yield post(number, queue="outages", incident_key="outage-17")
    yield presence("bob")
    yield command(commands.AcceptOffer, offer_id=offer(17), agent_id="bob")
    yield command(commands.BreakOut, contact_id=con(18), agent_id="bob")
    for number in (17, 18):
        yield command(commands.CloseContact, contact_id=con(number), agent_id="bob", resolution="explained")
    yield presence("ann")
    yield presence("cat")


def leases_and_offers_end() -> Iterator[Step]:
    yield post(6)
    yield presence("ann", "away", "break")
    yield presence("cat", "offline", "end_of_shift")


def moved() -> Iterator[Step]:
    """Given to a colleague who asks for help with it, referred to another department, called back."""
    yield presence("ann", "available", "back")
    yield post(30)
    yield command(commands.AssignContact, contact_id=con(30), to_agent="ann", forced=True)
    yield command(commands.Consult, contact_id=con(30), agent_id="ann", to_queue="social")
    yield command(commands.TransferContact, contact_id=con(30), agent_id="ann", to_queue="everyone")
    yield command(
        commands.ReferContact, contact_id=con(30), to_pool="sales", to_queue="leads", closes=False
    )
    yield command(commands.CallBack, contact_id=con(30), callback_at=1_796_000_000 * SECOND)


def interrupted() -> Iterator[Step]:
    """Dan has four letters and takes a chat: two of the letters are paused, and go on after it."""
    rules = Capacity(units=80, cost={"live": 40, "async": 20}, interrupted_by={"async": ("live", "voice")})
    yield command(commands.PutAgent, agent_id="dan", skills={"letters": 1, "public": 4, "lang:it": 5}, capacity=rules)
    yield presence("dan")
    own = Requirement(all=(SkillNeed(skill="letters"),))
    for number in (10, 11, 12, 13, 14):
        media: dict[str, Any] = {"channel": "chat", "medium": "live"} if number == 14 else {"channel": "email"}
        yield post(number, visibility="private", requirement=own, **media)
        yield command(commands.AcceptOffer, offer_id=offer(number), agent_id="dan")
        yield 5
    yield command(commands.CloseContact, contact_id=con(14), agent_id="dan", resolution="solved")


def waits_for_too_long() -> Iterator[Step]:
    """Nobody is there, and its queue keeps a contact for a minute only."""
    wide, gold = Predicate(field="reach", op="gte", value=1_000), Predicate(field="tier", op="eq", value="gold")
    yield queue(
        "press", order=5, match=Match(visibility="public"), max_length=50,
        when=Predicate(all=(wide, gold)),
        requirement=Requirement(all=(SkillNeed(skill="press"),)),
        hours=BusinessHours(hours="Mo-Su 09:00-23:00", timezone="Europe/Rome", open=open_days(40)),
        closed="overflow", overflow=Overflow(queue="social", after_seconds=60, longer_than=20),
    )  # fmt: skip
    yield post(20)
    yield 60
