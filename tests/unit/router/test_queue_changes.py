"""Queues that change or go while something is in them, or refers to them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from libs.common.events.commands import (
    CompileQueueHours,
    DeleteQueue,
    ParkContact,
    ReleaseContact,
    ResumeContact,
)
from libs.common.events.values import BusinessHours, Overflow, Predicate
from tests.simulation.router.builders import accept, agent, make, opened, presence, put_queue, queue
from tests.simulation.router.driver import PoolDriver

HOURS = BusinessHours(hours="Mo-Fr 09:00-18:00", open=((10, 20),))
TO_ALL = Overflow(queue="all", after_seconds=60)
AWAY = (agent("zoe")[0],)


def put(**fields: Any) -> Any:
    return put_queue("care", **fields)


def delete(queue_id: str = "care", **fields: Any) -> Any:
    return make(DeleteQueue, queue_id=queue_id, unused=True, **fields)


@pytest.mark.parametrize(("rule", "fields", "code"), [
    ("a rule that is none",             {"when": Predicate(all=())},                                     "invalid"),
    ("hours that never open",           {"hours": BusinessHours(hours="off")},                           "invalid"),
    ("hours that run back",             {"hours": BusinessHours(hours="x", open=((5, 9), (1, 2)))},      "invalid"),
    ("refusing without hours",          {"closed": "refuse"},                                            "invalid"),
    ("closed without a way out",        {"closed": "overflow", "hours": HOURS},                          "invalid"),
    ("room for nobody",                 {"max_length": 0},                                               "invalid"),
    ("overflow into itself",            {"overflow": Overflow(queue="care", after_seconds=1)},           "invalid"),
    ("overflow at once",                {"overflow": Overflow(queue="all", after_seconds=0)},            "invalid"),
    ("overflow of everybody",           {"overflow": Overflow(queue="all", longer_than=0)},              "invalid"),
    ("overflow without an occasion",    {"overflow": Overflow(queue="all")},                             "invalid"),
    ("overflow to nowhere",             {"overflow": Overflow(queue="gone", after_seconds=1)},     "unknown_queue"),
    ("a fallback to nowhere",           {"fallback_queue": "gone"},                                "unknown_queue"),
    ("a fallback to what was deleted",  {"fallback_queue": "once"},                                "unknown_queue"),
])  # fmt: skip
def test_refused_as_it_is(rule: str, fields: dict[str, Any], code: str) -> None:
    outcome = PoolDriver(queue("all"), queue("once"), [delete("once")]).run(put(**fields))
    assert (outcome.status, outcome.code) == (422, code), rule


@pytest.mark.parametrize(("field", "fields"), [
    ("overflow",       {"overflow": Overflow(queue="gone", after_seconds=1)}),
    ("fallback_queue", {"fallback_queue": "gone"}),
])  # fmt: skip
def test_a_queue_that_leads_nowhere_is_refused_by_its_field(field: str, fields: dict[str, Any]) -> None:
    assert PoolDriver().run(put(**fields)).state == {"queue_id": "care", field: "gone"}


@pytest.mark.parametrize(("rule", "fields"), [
    ("to everyone's, which needs no configuration",  {"overflow": Overflow(queue="everyone", after_seconds=1)}),
    ("a fallback to everyone's",                     {"fallback_queue": "everyone"}),
    ("a fallback to a queue that is there",          {"fallback_queue": "all"}),
    ("overflow of who finds it full",                {"overflow": Overflow(queue="all"), "max_length": 1}),
    ("overflow of who finds it closed",              {"overflow": Overflow(queue="all"), "closed": "overflow",
                                                      "hours": HOURS}),
])  # fmt: skip
def test_accepted(rule: str, fields: dict[str, Any]) -> None:
    assert PoolDriver(queue("all")).run(put(**fields)).status == 200, rule


# -- hours compiled again ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "setup", "replaces", "updates"), [
    ("the version that was read",      [put(hours=HOURS)],                                 1,  2),
    ("somebody changed it meanwhile",  [put(hours=HOURS), put(hours=HOURS)],               1,  2),
    ("it has no hours any more",       [put(hours=HOURS), put()],                          2,  2),
    ("it is gone",                     [put(hours=HOURS), delete()],                       2,  2),
    ("it never was",                   [],                                                 1,  0),
])  # fmt: skip
def test_hours_compiled_again(rule: str, setup: list[Any], replaces: int, updates: int) -> None:
    pool = PoolDriver(setup)
    outcome = pool.run(make(CompileQueueHours, queue_id="care", replaces=replaces, open=((10, 20), (30, 40))))
    assert (outcome.status, len(pool.events("queue.updated"))) == (200, updates), rule


def test_only_the_table_changes() -> None:
    pool = PoolDriver(queue("all"), [put(hours=HOURS, order=7, overflow=TO_ALL, max_length=3)])
    pool.receive(make(CompileQueueHours, queue_id="care", replaces=1, open=((30, 40),)))
    before, after = pool.events("queue.updated")[1:]
    assert (before.rules.hours, after.config_version) == (HOURS, 2)
    assert after.rules == replace(before.rules, hours=replace(HOURS, open=((30, 40),)))


# -- deletion ---------------------------------------------------------------------------------------------------


def test_a_queue_in_use_is_not_deleted_and_says_by_what() -> None:
    feeding = queue("sales", overflow=Overflow(queue="care", after_seconds=60))
    dead_ends = queue("tax", fallback_queue="care")
    pool = PoolDriver(agent("ann", units=20), queue("care", order=1), feeding, dead_ends)
    pool.receive(opened("con_1"), opened("con_2"), opened("con_3"), make(ParkContact, contact_id="con_3"))
    outcome = pool.run(delete())
    assert (outcome.status, outcome.code) == (409, "queue_in_use")
    assert outcome.state == {
        "queue_id": "care", "contacts": {"offered": 1, "parked": 1, "waiting": 1}, "overflow_of": ["sales"],
        "fallback_of": ["tax"],
    }  # fmt: skip


def test_a_queue_out_of_use_is() -> None:
    pool = PoolDriver(queue("care", order=1), queue("sales"))
    assert pool.run(delete()).status == 200
    assert pool.events("queue.updated")[-1].deleted


def test_older_logs_deleted_without_asking() -> None:
    pool = PoolDriver(queue("care", order=1))
    pool.receive(opened())
    assert pool.run(make(DeleteQueue, queue_id="care")).status == 200


def migrating() -> PoolDriver:
    """Con_1 is on offer, con_2 waits, con_3 is parked; sales overflows into it."""
    feeding = queue("sales", overflow=Overflow(queue="care", after_seconds=60, longer_than=9))
    pool = PoolDriver(agent("ann", units=20), queue("all"), queue("care", order=1), feeding)
    pool.receive(opened("con_1"), opened("con_2"), opened("con_3"), make(ParkContact, contact_id="con_3"))
    assert pool.run(delete(migrate_to="all")).state == {
        "queue_id": "care", "deleted": True, "migrated_to": "all", "contacts": 2,
    }  # fmt: skip
    return pool


def test_what_waits_moves_with_its_age() -> None:
    pool = migrating()
    moved = [(one.contact_id, one.from_queue, one.queue, one.reason) for one in pool.events("contact.overflowed")]
    assert moved == [("con_1", "care", "all", "queue_deleted"), ("con_2", "care", "all", "queue_deleted")]
    assert pool.floor.lengths == {"care": 0, "all": 2}
    assert pool.offers() == [("con_1", "ann"), ("con_1", "ann")]


def test_what_comes_back_later_comes_to_the_other_queue() -> None:
    pool = migrating()
    pool.receive(accept("con_1.offer.2"), make(ReleaseContact, contact_id="con_1"), opened("con_4", queue="care"))
    pool.receive(make(ResumeContact, contact_id="con_3"))
    assert {pool.contact(f"con_{n}").rules.queue for n in (1, 2, 3, 4)} == {"all"}


def test_who_overflowed_into_it_overflows_into_the_other() -> None:
    pool = migrating()
    assert pool.floor.queues["sales"].overflow == Overflow(queue="all", after_seconds=60, longer_than=9)


def test_nobody_overflows_into_itself() -> None:
    pool = PoolDriver(queue("care"), queue("sales", overflow=Overflow(queue="care", after_seconds=60)))
    pool.receive(delete(migrate_to="sales"))
    assert pool.floor.queues["sales"].overflow is None


@pytest.mark.parametrize(("rule", "goal", "fallback"), [
    ("dead ends go to the other queue", "all", "all"), ("but not to their own", "sales", None),
])  # fmt: skip
def test_who_fell_back_to_it(rule: str, goal: str, fallback: str | None) -> None:
    pool = PoolDriver(queue("all"), queue("care"), queue("sales", fallback_queue="care"))
    pool.receive(delete(migrate_to=goal))
    assert pool.floor.queues["sales"].fallback_queue == fallback, rule


@pytest.mark.parametrize(("rule", "goal"), [
    ("a queue that isn't there", "nowhere"), ("itself", "care"), ("one that was deleted", "gone"),
])  # fmt: skip
def test_migration_needs_a_queue(rule: str, goal: str) -> None:
    pool = PoolDriver(queue("care"), queue("gone"), [delete("gone")])
    assert pool.run(delete(migrate_to=goal)).code == "unknown_queue", rule


def test_a_queue_too_full_is_drained_first() -> None:
    pool = PoolDriver(AWAY, queue("all"), queue("care", order=1))
    pool.receive(*(opened(f"con_{number}") for number in range(501)))
    outcome = pool.run(delete(migrate_to="all"))
    assert (outcome.code, outcome.state["waiting"], outcome.state["waiting_max"]) == ("too_many_contacts", 501, 500)


def test_one_that_comes_back_has_no_successor() -> None:
    pool = migrating()
    pool.receive(put(order=1), opened("con_5"))
    assert pool.contact("con_5").rules.queue == "care"


def test_it_survives_a_restore() -> None:
    pool = migrating()
    pool.restore()
    pool.receive(presence("ann", "away"), opened("con_4", queue="care"))
    assert pool.contact("con_4").rules.queue == "all"
