"""Deliveries arrive: signed, in order, again after failures, whoever else is slow or gone."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial

from libs.common.events import SECOND
from services.notifier.core.again import ATTEMPTS_MAX, RETRY_SECONDS
from services.notifier.deliveries import Settled
from services.notifier.limits import CALLS_PER_SUBSCRIPTION_MAX, CALLS_PER_WORKSPACE_MAX, LEASE_SECONDS
from tests.integration.notifier.desk import Desk, Open, closed, eventually, left, raised
from tests.integration.notifier.receiver import Got, Receiver

DAY = 86_400


def by_contact(letters: list[Got]) -> dict[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for letter in letters:
        contact, sequence = letter.which
        found[contact].append(sequence)
    return found


async def advance(opened: Open, seconds: float) -> None:
    opened.desk.clock.move_to(opened.desk.clock.now() + int(seconds * SECOND))


async def test_a_letter_is_signed_and_says_what_happened(opened: Open, receiver: Receiver) -> None:
    await opened.subscribe("ops", receiver.url, ["contact.closed"])
    opened.desk.publish(left("c1"), closed("c1"))
    [letter] = await receiver.taken(1)
    assert letter.body["type"] == "contact.closed"
    assert letter.body["timestamp"] == letter.data["at"] == "2026-11-18T11:06:40.000000Z"
    assert letter.data["contact_id"] == "c1"
    assert (letter.data["sequence"], letter.data["cause"]) == (1, "test")
    assert letter.headers["accept-encoding"] == "identity"
    [delivery] = await opened.delivered(1)
    assert (delivery["id"], delivery["last_status"], delivery["attempts"]) == (letter.id, 204, 1)


async def test_a_filter_picks_the_label_of_a_step(opened: Open, receiver: Receiver) -> None:
    await opened.subscribe("ops", receiver.url, ["escalation.raised"], filter={"to": "supervisors"})
    opened.desk.publish(raised("c1", "nobody"), raised("c2", "supervisors"))
    [letter] = await receiver.taken(1)
    await opened.stored()
    assert letter.data["contact_id"] == "c2"
    assert len(await opened.deliveries()) == 1


async def test_the_order_per_contact_survives_failures(opened: Open, receiver: Receiver) -> None:
    """The second event of `c1` fails twice: its third waits, other contacts don't."""
    failures = iter([500, 503])

    def judge(letter: Got) -> int:
        return next(failures, 204) if letter.which == ("c1", 2) else 204

    receiver.judge = judge
    await opened.subscribe("ops", receiver.url, ["contact.closed"])
    opened.desk.publish(*(closed(contact) for _ in range(3) for contact in ("c1", "c2", "c3")))
    await receiver.taken(7)
    for attempts, seconds in ((1, 1), (2, 5)):
        await eventually(partial(_has_failed, opened, attempts))
        assert by_contact(receiver.accepted) == {"c1": [1], "c2": [1, 2, 3], "c3": [1, 2, 3]}
        await advance(opened, seconds)
    letters = await receiver.taken(9)
    assert by_contact(letters) == {contact: [1, 2, 3] for contact in ("c1", "c2", "c3")}
    assert len({letter.id for letter in receiver.got if letter.which == ("c1", 2)}) == 1


async def _has_failed(opened: Open, attempts: int, whose: str = "default") -> bool:
    return attempts in [one["attempts"] for one in await opened.deliveries(whose, state="pending")]


async def test_nothing_is_tried_again_before_it_is_due(opened: Open, receiver: Receiver) -> None:
    receiver.judge = lambda _: 500
    await opened.subscribe("ops", receiver.url)
    opened.desk.publish(closed("c1"))
    await opened.failed(1)
    await advance(opened, 0.999)
    await opened.subscribe("ops", receiver.url)  # Wakes the lane.
    assert [one["attempts"] for one in await opened.deliveries(state="pending")] == [1]
    await advance(opened, 0.001)
    await receiver.letters(2)


async def test_a_receiver_that_asks_for_time_gets_it(opened: Open, receiver: Receiver) -> None:
    receiver.judge, receiver.answer_headers = (lambda _: 429), "Retry-After: 90\r\n"
    await opened.subscribe("ops", receiver.url)
    opened.desk.publish(closed("c1"))
    await opened.failed(1)
    [pending] = await opened.deliveries(state="pending")
    assert (pending["last_status"], pending["next_attempt_at"]) == (429, "2026-11-18T11:08:10.000000Z")


def fails_at_the_first(letter: Got) -> int:
    return 500 if letter.which == ("c1", 1) else 204


async def test_what_fails_for_good_blocks_nobody_and_can_be_sent_again(opened: Open, receiver: Receiver) -> None:
    receiver.judge = fails_at_the_first
    await opened.subscribe("ops", receiver.url)
    opened.desk.publish(closed("c1"), closed("c1"))
    for attempts, seconds in enumerate(RETRY_SECONDS, start=1):
        await eventually(partial(_has_failed, opened, attempts))
        await advance(opened, seconds + 60)  # A receiver that fails again and again rests for up to a minute.
    [dead] = await opened.delivered(1, "dead")
    assert (dead["attempts"], dead["last_failure"], dead["last_status"]) == (ATTEMPTS_MAX, "refused", 500)
    await advance(opened, 60)
    assert (await receiver.taken(1))[0].which == ("c1", 2)
    receiver.judge = lambda _: 200
    again = await opened.call("POST", f"/v1/deliveries/{dead['id']}/redeliver")
    assert (again.status_code, again.json()["state"], again.json()["attempts"]) == (200, "pending", 0)
    assert (await receiver.taken(2))[1].id == dead["id"]
    await opened.delivered(2)


async def test_gone_disables_the_subscription_and_a_put_enables_it(opened: Open, receiver: Receiver) -> None:
    receiver.judge = lambda _: 410
    await opened.subscribe("ops", receiver.url)
    opened.desk.publish(closed("c1"), closed("c1"), closed("c2"))
    dead = await opened.delivered(3, "dead")
    assert {one["last_failure"] for one in dead} == {"gone"}
    shown = (await opened.call("GET", "/v1/subscriptions/ops")).json()
    assert (shown["state"], shown["disabled_reason"]) == ("disabled", "gone")
    opened.desk.publish(closed("c3"))
    await opened.stored()
    assert len(await opened.deliveries()) == 3
    receiver.judge = lambda _: 204
    await opened.subscribe("ops", receiver.url)
    opened.desk.publish(closed("c4"))
    assert (await receiver.taken(1))[0].data["contact_id"] == "c4"


async def test_a_slow_receiver_delays_nobody_else(opened: Open, receiver: Receiver) -> None:
    async with Receiver() as slow:
        slow.open.clear()
        await opened.subscribe("slow", slow.url)
        await opened.subscribe("quick", receiver.url)
        opened.desk.publish(*(closed(f"c{n}") for n in range(50)))
        await receiver.taken(50)
        assert slow.accepted == []
        assert len(await slow.letters(CALLS_PER_SUBSCRIPTION_MAX)) == len(slow.got)
        slow.open.set()
        await slow.taken(50)


async def test_one_workspace_leaves_room_for_the_calls_of_others(opened: Open, receiver: Receiver) -> None:
    lanes = CALLS_PER_WORKSPACE_MAX // CALLS_PER_SUBSCRIPTION_MAX + 1
    async with Receiver() as slow:
        slow.open.clear()
        for lane in range(lanes):
            await opened.subscribe(f"slow{lane}", slow.url, whose="other")
        await opened.subscribe("quick", receiver.url)
        opened.desk.publish(*(closed(f"c{n}", "other") for n in range(CALLS_PER_SUBSCRIPTION_MAX)))
        await slow.letters(CALLS_PER_WORKSPACE_MAX)
        opened.desk.publish(closed("c1"))
        await receiver.taken(1)
        assert len(slow.got) == CALLS_PER_WORKSPACE_MAX
        slow.open.set()
        await slow.taken(lanes * CALLS_PER_SUBSCRIPTION_MAX)


async def test_what_waits_for_a_workspace_that_was_deleted_is_not_sent(opened: Open, receiver: Receiver) -> None:
    receiver.judge = lambda _: 500
    await opened.subscribe("ops", receiver.url, whose="other")
    opened.desk.publish(closed("c1", "other"))
    await eventually(partial(_has_failed, opened, 1, "other"))
    await opened.desk.delete_workspace("other")
    await advance(opened, DAY)
    deliveries, now = opened.notifier.deliveries, opened.desk.clock.now()
    assert await deliveries.waiting() == []
    assert (await deliveries.exchange(("other", "ops"), (), 1, now)).claimed == ()


async def test_a_process_that_ends_gives_its_work_back(desk: Desk, receiver: Receiver) -> None:
    receiver.open.clear()
    async with desk.open() as first:
        await first.subscribe("ops", receiver.url)
        desk.publish(*(closed("c1") for _ in range(3)), closed("c2"))
        await receiver.letters(2)
    receiver.open.set()
    async with desk.open() as second:
        await second.delivered(4)
    order = by_contact(receiver.accepted)
    assert (order["c1"][-3:], set(order["c2"])) == ([1, 2, 3], {1})


async def test_what_a_killed_process_had_claimed_is_tried_when_its_lease_ends(desk: Desk, receiver: Receiver) -> None:
    async with desk.open() as first:
        await first.subscribe("ops", "https://nobody.invalid/")
        desk.publish(closed("c1"))
        await first.failed(1)
    lane, due = ("default", "ops"), desk.clock.now() + SECOND
    turn = await first.notifier.deliveries.exchange(lane, (), 1, due)
    assert len(turn.claimed) == 1
    async with desk.open() as second:
        await second.subscribe("ops", receiver.url)
        await advance(second, LEASE_SECONDS)
        assert await second.deliveries(state="delivered") == []
        await advance(second, 1)
        await receiver.taken(1)


async def test_who_comes_after_the_end_of_its_lease_changes_nothing(desk: Desk, opened: Open) -> None:
    await opened.subscribe("ops", "https://nobody.invalid/")
    desk.publish(closed("c1"))
    await opened.failed(1)
    lane, deliveries, first = ("default", "ops"), opened.notifier.deliveries, desk.clock.now() + SECOND
    [late] = (await deliveries.exchange(lane, (), 1, first)).claimed
    [mine] = (await deliveries.exchange(lane, (), 1, late.lease)).claimed
    said = Settled(id=late.id, lease=late.lease, state="dead", attempts=9, due_at=0)
    assert (await deliveries.exchange(lane, [said], 0, late.lease)).next_due == mine.lease
    assert [one["state"] for one in await opened.deliveries()] == ["pending"]


async def test_two_processes_share_the_work(desk: Desk, receiver: Receiver) -> None:
    async with desk.open() as first, desk.open() as second:
        await first.subscribe("ops", receiver.url)
        desk.publish(*(closed(f"c{n % 20}") for n in range(200)))
        second.notifier.dispatch.wake([("default", "ops")])
        await receiver.taken(200)
    assert all(order == sorted(order) for order in by_contact(receiver.accepted).values())
    assert len({letter.id for letter in receiver.accepted}) == 200


async def test_a_deleted_subscription_takes_its_deliveries_along(opened: Open, receiver: Receiver) -> None:
    receiver.judge = lambda _: 500
    await opened.subscribe("ops", receiver.url)
    opened.desk.publish(closed("c1"))
    await opened.failed(1)
    assert (await opened.call("DELETE", "/v1/subscriptions/ops")).status_code == 204
    assert await opened.deliveries() == []
    await opened.subscribe("ops", receiver.url)
    await advance(opened, DAY)
    opened.desk.publish(closed("c2"))
    await receiver.letters(2)
    assert [letter.data["contact_id"] for letter in receiver.got] == ["c1", "c2"]


async def test_letters_of_two_workspaces_never_meet(opened: Open, receiver: Receiver) -> None:
    async with Receiver() as theirs:
        await opened.subscribe("ops", receiver.url)
        await opened.subscribe("ops", theirs.url, whose="other")
        opened.desk.publish(closed("c1"), closed("c1", "other"), closed("c2", "other"))
        await asyncio.gather(receiver.taken(1), theirs.taken(2))
        [mine] = await opened.delivered(1)
        assert len(await opened.delivered(2, whose="other")) == 2
        foreign = await opened.call("POST", f"/v1/deliveries/{mine['id']}/redeliver", "other")
        assert foreign.status_code == 404
        assert {letter.id for letter in receiver.got}.isdisjoint({letter.id for letter in theirs.got})
