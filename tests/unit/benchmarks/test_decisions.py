"""The benchmark of decisions measures what it says, in a world small enough for a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.progress import Progress

from benchmarks import decisions
from benchmarks.decisions import Cost, Point
from benchmarks.picks import KEY
from benchmarks.world import World


@pytest.fixture(scope="module")
def world() -> World:
    world = World(agents=40, requirements=20)
    for _ in world.fill(1_000):
        pass
    return world


def lanes(world: World, turn: Callable[[], float]) -> set[str]:
    """By which lanes contacts are offered during sixty turns, which all take time."""
    seen: set[str] = set()
    evolve = world.core.evolve
    world.core.evolve = lambda state, event: seen.add(getattr(event, "lane", "")) or evolve(state, event)  # type: ignore
    try:
        assert all(turn() > 0 for _ in range(60))
    finally:
        world.core.evolve = evolve  # type: ignore[method-assign]
    return seen


def test_a_pick_serves_who_waits_and_an_arrival_finds_an_agent(world: World) -> None:
    assert {"main", "express"} <= lanes(world, world.pick)
    assert "arrival" in lanes(world, world.arrive)
    assert 990 <= world.waiting <= 1_070


def somebody_goes_away(world: World) -> bool:
    for _ in range(500):
        world.churn()
        if any(desk.agent.status == "away" for desk in world.state.floor(KEY).desks.values()):
            return True
    return False


def test_the_world_has_what_makes_decisions_hard(world: World) -> None:
    floor = world.state.floor(KEY)
    assert len(floor.profiles) == 40
    assert somebody_goes_away(world), "churn"
    assert any(contact.relaxed for contact in floor.contacts.values()), "relaxation"
    assert any(desk.margins() for desk in floor.desks.values()), "interruption"
    assert any(contact.declined for contact in floor.contacts.values()), "declines"


def test_a_restore_has_every_open_contact() -> None:
    with Progress(disable=True) as progress:
        seconds, restored = decisions.restore(300, progress)
    assert seconds > 0
    assert 300 <= restored <= 300 + decisions.BASE[1], "those who wait and those whom agents work on"


def test_ratios_are_to_the_base_and_a_broken_promise_is_said(tmp_path: Path) -> None:
    def cost(pick: float) -> Cost:
        return Cost((pick, 2 * pick), (1e-4, 2e-4), 1e-6)

    points = [Point("waiting", *decisions.BASE, cost(1e-4), None), Point("waiting", 10_000, 100, 10, cost(2e-4), 1.2)]
    points += [Point("agents", 1_000, 15_000, 10, cost(1e-4), None)]
    points += [Point("requirements", 10_000, 100, 2_000, cost(4e-4), None)]
    said = decisions.ends(points)
    assert [line.rpartition(": ")[2] for line in said.values()] == ["kept)", "kept)", "NOT kept)"]
    assert "pick × 4.00" in said["requirements"]
    assert decisions.table(points).row_count == len(points)
    decisions.plot(points, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000
