"""Consults: who has a contact asks somebody else for help, keeps the contact, and its clocks run on."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events.codec import encode_value
from libs.common.events.commands import (
    AbandonContact,
    AssignContact,
    BreakOut,
    CallBack,
    CloseContact,
    CompleteWrapUp,
    Consult,
    ParkContact,
    ReferContact,
    ReleaseContact,
    RequeueAgent,
    SetPriority,
    TransferContact,
)
from libs.common.events.values import Match
from tests.simulation.router.builders import (
    accept,
    agent,
    ask,
    close,
    decline,
    left,
    make,
    need,
    opened,
    presence,
    queue,
    withdrawn,
)
from tests.simulation.router.driver import PoolDriver

TAX = queue("tax", match=Match(tier="gold"), requirement=need("tax"), wrap_up_seconds=60)
"""What no contact of these tests comes to by itself."""
OWNED = [accept("con_1.offer.1", "ann")]


def consult(by: str | None = "ann", **to: Any) -> Any:
    return ask(Consult, by, **to)


def floor_of(*events: Any, **contact: Any) -> PoolDriver:
    """Ann has con_1; Bob knows tax and has room for one; Cat does too, and is away."""
    pool = PoolDriver(
        TAX, agent("ann", "tax", units=200), agent("bob", "tax", units=20), agent("cat", "tax"),
        [presence("cat", "away", reason="lunch"), presence("bob", "away")],
    )  # fmt: skip
    pool.receive(opened(**contact), presence("bob"), *events)
    return pool


def helped(*events: Any, **contact: Any) -> PoolDriver:
    """Bob has Ann's consult."""
    pool = floor_of(*OWNED, consult(to_queue="tax"), **contact)
    pool.receive(accept(f"{consult_id(pool)}.offer.1", "bob"), *events)
    return pool


def consult_id(pool: PoolDriver) -> str:
    return str(pool.events("contact.consulted")[-1].consult_id)


def closed_as(pool: PoolDriver) -> dict[str, str]:
    return {one.contact_id: one.resolution for one in pool.events("contact.closed")}


# -- asking -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "before", "command", "status", "code"), [
    ("its agent asks a queue",             OWNED, consult(to_queue="tax"),                200, "ok"),
    ("its agent asks a colleague",         OWNED, consult(to_agent="bob"),                200, "ok"),
    ("so does a supervisor",               OWNED, consult(None, to_queue="tax"),          200, "ok"),
    ("nobody else does",                   OWNED, consult("bob", to_queue="tax"),         403, "forbidden"),
    ("somebody has to have it",            [],    consult(None, to_queue="tax"),          409, "conflict"),
    ("not what is parked",                 [*OWNED, ask(ParkContact, "ann")], consult(to_queue="tax"), 409, "conflict"),
    ("not what is over",                   [close()], consult(None, to_queue="tax"),      409, "conflict"),
    ("never heard of",                     OWNED, consult(None, contact_id="con_2", to_queue="tax"), 404, "not_found"),
    ("no such queue",                      OWNED, consult(to_queue="nowhere"),            422, "unknown_queue"),
    ("everyone's is always there",         OWNED, consult(to_queue="everyone"),           200, "ok"),
    ("no such agent",                      OWNED, consult(to_agent="ghost"),              422, "unknown_agent"),
    ("not oneself",                        OWNED, consult(to_agent="ann"),                422, "own_contact"),
    ("not who is away",                    OWNED, consult(to_agent="cat"),                409, "agent_not_available"),
    ("nobody",                             OWNED, consult(),                              422, "invalid"),
    ("both",                               OWNED, consult(to_queue="tax", to_agent="bob"), 422, "invalid"),
    ("three at a time",                    [*OWNED, *[consult(to_queue="tax") for _ in range(2)]],
     consult(to_queue="tax"), 200, "ok"),
    ("and no fourth",                      [*OWNED, *[consult(to_queue="tax") for _ in range(3)]],
     consult(to_queue="tax"), 409, "too_many_consults"),
])  # fmt: skip
def test_requests(rule: str, before: list[Any], command: Any, status: int, code: str) -> None:
    outcome = floor_of(*before).run(command)
    assert (outcome.status, outcome.code) == (status, code), rule
    assert ("consult_id" in outcome.state) == (status == 200), rule


def test_who_is_asked_has_to_be_able() -> None:
    pool = floor_of(*OWNED, *agent("dan"), ask(TransferContact, to_queue="tax"))
    offer = pool.events("contact.offered")[-1]
    pool.receive(accept(offer.offer_id, offer.agent_id))
    outcome = pool.run(consult(None, to_agent="dan"))
    assert (outcome.status, outcome.code, outcome.state["why"]) == (409, "agent_not_able", "skill tax 0 < 1")


def test_the_contact_stays_with_its_agent_and_the_consult_is_offered_to_another() -> None:
    pool = floor_of(*OWNED)
    before = pool.contact().waiting_since
    pool.now += 60_000_000
    state = pool.run(consult(to_queue="tax")).state
    assert (state["contact_id"], state["state"], state["agent"], state["consult_id"]) == (
        "con_1", "assigned", "ann", consult_id(pool),
    )  # fmt: skip
    contact, one = pool.contact(), pool.contact(consult_id(pool))
    assert (contact.waiting_since, contact.consults, contact.consult_of) == (before, (one.id,), None)
    assert (one.consult_of, one.rules.queue, one.waiting_since, one.target) == ("con_1", "tax", pool.now, None)
    assert pool.offers()[-1] == (one.id, "bob")


def test_it_takes_its_own_units() -> None:
    pool = helped()
    assert {desk.agent.id: desk.used for desk in pool.floor.desks.values()} == {"ann": 20, "bob": 20, "cat": 0}
    pool.receive(*agent("cat", "tax"), consult(to_agent="cat"))
    assert pool.offers()[-1] == (consult_id(pool), "cat")


def test_whoever_asks_is_never_asked() -> None:
    pool = floor_of(*OWNED, presence("bob", "away"), consult(to_queue="tax"))
    pool.advance(3_600)
    assert [agent_id for contact, agent_id in pool.offers() if contact == consult_id(pool)] == []
    pool.receive(presence("bob"))
    assert pool.offers()[-1] == (consult_id(pool), "bob")


def test_nobody_else_can_help() -> None:
    pool = PoolDriver(TAX, agent("ann", "tax"))
    pool.receive(opened(), *OWNED, consult(to_queue="tax"))
    flag = pool.events("contact.unroutable")[-1]
    assert (flag.contact_id, flag.reason) == (consult_id(pool), "no_agent")


def test_a_colleague_without_room_has_two_minutes_before_the_others() -> None:
    pool = floor_of(*OWNED, opened("con_2"), ask(AssignContact, to_agent="bob", contact_id="con_2", forced=True))
    pool.receive(consult(to_agent="bob"), presence("cat"))
    assert pool.floor.desks["bob"].used == 20
    pool.advance(119)
    assert not [one for one in pool.offers() if one[0] == consult_id(pool)]
    pool.advance(1)
    assert pool.offers()[-1] == (consult_id(pool), "cat")


def test_who_declines_leaves_it_to_others() -> None:
    pool = floor_of(*OWNED, presence("cat"), consult(to_agent="bob"))
    pool.receive(decline(f"{consult_id(pool)}.offer.1", "bob"))
    assert pool.offers()[-2:] == [(consult_id(pool), "bob"), (consult_id(pool), "cat")]


def test_the_public_does_not_see_it() -> None:
    pool = PoolDriver(agent("ann", "public", units=80))
    pool.receive(opened(channel="x", reach=1_000_000), *OWNED, *agent("bob"), consult(to_agent="bob"))
    one = pool.contact(consult_id(pool))
    assert (one.visibility, one.reach, one.boost, pool.contact().boost > 0) == ("private", 1, 0, True)
    assert pool.offers()[-1] == (one.id, "bob")


# -- what may be done with it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "command", "status", "code", "state"), [
    ("who helps ends it",            ask(CloseContact, "bob"),                200, "ok", "wrap_up"),
    ("so does who asked",            ask(CloseContact, "ann"),                200, "ok", "wrap_up"),
    ("and a supervisor",             ask(CloseContact),                       200, "ok", "wrap_up"),
    ("nobody else",                  ask(CloseContact, "cat"),                403, "forbidden", "assigned"),
    ("who helps gives it back",      ask(ReleaseContact, "bob"),              200, "ok", "waiting"),
    ("who asked doesn't",            ask(ReleaseContact, "ann"),              403, "forbidden", "assigned"),
    ("a supervisor hurries it",      ask(SetPriority, boost=100),             200, "ok", "assigned"),
    ("it isn't asked about again",   ask(Consult, "bob", to_queue="tax"),     409, "is_consult", "assigned"),
    ("it moves nowhere",             ask(TransferContact, "bob", to_queue="everyone"), 409, "is_consult", "assigned"),
    ("not by force either",          ask(AssignContact, to_agent="ann", forced=True),  409, "is_consult", "assigned"),
    ("not to another pool",          ask(ReferContact, "bob", to_pool="sales"), 409, "is_consult", "assigned"),
    ("it is no call",                ask(CallBack, "bob"),                    409, "is_consult", "assigned"),
    ("no customer owes an answer",   ask(ParkContact, "bob"),                 409, "is_consult", "assigned"),
    ("no customer leaves it",        ask(AbandonContact, "bob"),              409, "is_consult", "assigned"),
    ("it is in no group",            ask(BreakOut, "bob"),                    409, "is_consult", "assigned"),
])  # fmt: skip
def test_what_may_be_done_with_it(rule: str, command: Any, status: int, code: str, state: str) -> None:
    pool = helped()
    fields = {name: getattr(command, name) for name in command.__struct_fields__} | {"contact_id": consult_id(pool)}
    outcome = pool.run(type(command)(**fields))
    assert (outcome.status, outcome.code, outcome.state["state"]) == (status, code, state), rule


@pytest.mark.parametrize("by", ["ann", "bob", None])
def test_ending_it_twice_is_ending_it_once(by: str | None) -> None:
    pool = helped()
    one = consult_id(pool)
    pool.receive(close(one, by), make(CompleteWrapUp, agent_id="bob"))
    outcome = pool.run(close(one, by))
    assert (outcome.status, outcome.state["state"]) == (200, "closed")
    assert [event.contact_id for event in pool.events("contact.closed")] == [one]
    assert pool.contact().consults == ()


# -- its end ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "event"), [
    ("its contact is closed",            close("con_1", "ann")),
    ("the customer leaves",              left("con_1")),
    ("the author takes it back",         withdrawn("con_1")),
    ("it is released",                   ask(ReleaseContact, "ann")),
    ("it is parked",                     ask(ParkContact, "ann")),
    ("it goes to another queue",         ask(TransferContact, "ann", to_queue="tax")),
    ("it goes to who helped",            ask(TransferContact, "ann", to_agent="bob")),
    ("it goes to another pool",          ask(ReferContact, "ann", to_pool="sales")),
    ("the customer is called",           ask(CallBack, "ann")),
    ("it is given to another",           ask(AssignContact, to_agent="cat", forced=True)),
    ("everything is taken from its agent", make(RequeueAgent, agent_id="ann")),
])  # fmt: skip
def test_it_ends_by_itself(rule: str, event: Any) -> None:
    pool = helped()
    one = consult_id(pool)
    pool.receive(event)
    assert closed_as(pool)[one] == "consult_ended", rule
    assert one not in pool.floor.contacts, rule
    assert all(held.id != one for desk in pool.floor.desks.values() for held in desk.held.values()), rule


def test_what_is_on_offer_is_withdrawn() -> None:
    pool = floor_of(*OWNED, consult(to_queue="tax"), close("con_1", "ann"))
    withdrawal = pool.events("offer.withdrawn")[-1]
    assert (withdrawal.contact_id, withdrawal.agent_id, withdrawal.reason) == (consult_id(pool), "bob", "consult_ended")
    assert closed_as(pool) == {"con_1": "solved", consult_id(pool): "consult_ended"}


def test_who_finishes_up_already_takes_the_time_for_it() -> None:
    pool = helped()
    pool.receive(close(consult_id(pool), "bob"), close("con_1", "ann"))
    assert pool.contact(consult_id(pool)).state == "wrap_up"
    pool.advance(60)
    assert closed_as(pool) == {"con_1": "solved", consult_id(pool): "solved"}


def test_what_goes_on_with_its_agent_goes_on_with_its_consult() -> None:
    pool = helped(ask(SetPriority, boost=100), presence("ann", "away"))
    assert pool.contact(consult_id(pool)).state == "assigned"


def test_who_helps_and_vanishes_is_replaced() -> None:
    pool = helped(presence("cat"), presence("bob", "offline"))
    pool.advance(600)
    assert pool.offers()[-1] == (consult_id(pool), "cat")
    assert pool.contact().consults == (consult_id(pool),)


def test_what_is_no_consult_is_written_as_ever() -> None:
    pool = helped()
    plain, *_, consulted = pool.events("contact.queued")
    assert b"consult" not in encode_value(plain, sequence=1, cause="")
    assert b'"consult_of":"con_1"' in encode_value(consulted, sequence=1, cause="")


def test_it_survives_a_restore() -> None:
    pool = helped()
    pool.restore()
    assert pool.contact().consults == (consult_id(pool),)
    pool.receive(close("con_1", "ann"))
    assert closed_as(pool)[consult_id(pool)] == "consult_ended"
