"""Who may call at the same time."""

from __future__ import annotations

from services.notifier.deliveries import Lane
from services.notifier.limits import CALLS_MAX, CALLS_PER_WORKSPACE_MAX
from services.notifier.room import Room

WORKSPACES = CALLS_MAX // CALLS_PER_WORKSPACE_MAX


def filled(woken: list[Lane]) -> Room:
    """Every place is taken."""
    room = Room(woken.append)
    for n in range(WORKSPACES):
        assert room.take((f"w{n}", "ops"), CALLS_PER_WORKSPACE_MAX) == CALLS_PER_WORKSPACE_MAX
    return room


def test_a_workspace_gets_its_share_and_no_more() -> None:
    room = Room(lambda _: None)
    assert room.take(("acme", "ops"), CALLS_MAX) == CALLS_PER_WORKSPACE_MAX
    assert room.take(("acme", "all"), 1) == 0
    assert room.take(("other", "ops"), 1) == 1


def test_all_together_get_no_more_than_there_is() -> None:
    assert filled([]).take(("late", "ops"), 1) == 0


def test_who_was_refused_first_is_woken_first_when_a_place_is_free() -> None:
    woken: list[Lane] = []
    room = filled(woken)
    for late in ("a", "b"):
        room.take((late, "ops"), 2)
    room.give_back(("w0", "ops"), 1)
    assert woken == [("a", "ops")]
    assert room.take(("a", "ops"), 2) == 1
    room.give_back(("w0", "ops"), 1)
    assert woken == [("a", "ops"), ("b", "ops")]


def test_a_place_that_a_workspace_may_not_have_wakes_another_one() -> None:
    woken: list[Lane] = []
    room = filled(woken)
    room.take(("w1", "all"), 1)
    room.take(("late", "ops"), 1)
    room.give_back(("w0", "ops"), 1)
    assert woken == [("late", "ops")]


def test_who_was_woken_in_vain_hands_its_place_on() -> None:
    woken: list[Lane] = []
    room = filled(woken)
    for late in ("a", "b"):
        room.take((late, "ops"), 1)
    room.give_back(("w0", "ops"), 1)
    room.give_back(("a", "ops"), room.take(("a", "ops"), 0))
    assert woken == [("a", "ops"), ("b", "ops")]


def test_who_wants_nothing_more_is_not_woken() -> None:
    woken: list[Lane] = []
    room = filled(woken)
    room.take(("a", "ops"), 1)
    assert room.is_short(("a", "ops"))
    room.forget(("a", "ops"))
    room.give_back(("w0", "ops"), 1)
    assert (woken, room.is_short(("a", "ops"))) == ([], False)
