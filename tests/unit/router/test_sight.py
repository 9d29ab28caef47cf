"""Along the lines an agent finds what looking into every bucket would find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from benchmarks.picks import KEY
from benchmarks.world import World
from services.router.core.desks import Desk
from services.router.core.floor import Floor
from services.router.core.limits import LOOKED_THROUGH_MAX
from services.router.core.picks import ahead, fronts_of, in_order, largest, oldest
from services.router.core.queues import AGEING, EXPRESS, Bucket, Entry, is_higher, score_of
from services.router.core.sight import Sight, fitting

TURNS = 40


@pytest.fixture(scope="module")
def world() -> World:
    """Agents who serve hundreds of buckets each, and decline some."""
    world = World(agents=30, requirements=400, declined_share=0.5)
    for _ in world.fill(1_500):
        pass
    return world


@pytest.fixture
def floor(world: World) -> Floor:
    return world.state.floor(KEY)


def about_to_pick(world: World) -> Iterator[Desk]:
    """Agents whose work is done, each before they pick."""
    for _ in range(TURNS):
        yield world.finish()
        world.settle()
        world.go_on()
        world.write()


def entries(buckets: list[Bucket], lane: int) -> list[tuple[Bucket, Entry]]:
    return [(bucket, first) for bucket in buckets if (first := bucket.firsts[lane]) is not None]


def test_the_main_lane_has_the_first_of_every_bucket_that_fits(world: World, floor: Floor) -> None:
    asked = many = 0
    for desk in about_to_pick(world):
        buckets = fitting(floor, desk)
        many += len(buckets) > LOOKED_THROUGH_MAX
        asked += sum(bool(bucket.asked) for bucket in buckets)
        fronts = in_order(floor, desk, Sight(floor, desk), world.now)
        assert list(fronts) == sorted(fronts_of(floor, desk.agent, buckets, world.now))
    assert many > TURNS // 2
    assert asked, "some were asked in vain"


@pytest.mark.parametrize(("rule", "lane"), [("the oldest of each channel", AGEING), ("the largest reach", EXPRESS)])
def test_the_other_lanes_have_the_best_of_all_that_fits(world: World, floor: Floor, rule: str, lane: int) -> None:
    chosen = set()
    for desk in about_to_pick(world):
        best: Callable[..., object] = largest
        if lane == AGEING:
            best = partial(oldest, agent=desk.agent, now=world.now)
        found = best(Sight(floor, desk).firsts(lane))
        assert found == best(entries(fitting(floor, desk), lane)), rule
        chosen.add(found)
    assert len(chosen) > 1, rule


def test_ahead_counts_whose_score_is_higher(world: World, floor: Floor) -> None:
    for desk in about_to_pick(world):
        sight, now = Sight(floor, desk), world.now
        fitting_now = [floor.contacts[contact] for _, _, contact in in_order(floor, desk, sight, now)]
        for chosen in (fitting_now[0], fitting_now[len(fitting_now) // 2], fitting_now[-1]):
            score = score_of(chosen, now)
            higher = sum(is_higher(score_of(one, now), score) for one in fitting_now)
            assert ahead(floor, desk, sight, chosen, now) == higher
