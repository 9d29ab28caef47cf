"""The server goes, hangs up or is killed: nothing acknowledged is lost, nothing is doubled, no gap is left."""

import asyncio

import pytest

from libs.common.clock import VirtualClock
from libs.common.events import ROUTER_STATE, ROUTING
from libs.common.log import Aborted, Fenced, LogError, Owner
from libs.common.log.postgres import open_postgres_log
from libs.common.postgres import DATABASE_TROUBLE
from tests.contract.log.worlds import draft, drafts, entity, everything, read, values
from tests.integration.postgres.cut import At, Cut

PATIENCE_SECONDS = 30


async def restored(owner: Owner) -> dict[str, str]:
    return {key: value.decode() async for key, value in owner.restore(ROUTER_STATE)}


async def test_an_append_waits_for_a_server_that_comes_back(cut: Cut) -> None:
    async with open_postgres_log(cut.url, partitions=1) as log:
        await log.append(0, drafts("before"))
        cut.down()
        appending = asyncio.create_task(log.append(0, drafts("after")))
        await cut.refused.wait()
        cut.up()
        assert await appending == [1]
        assert values(await everything(log, ROUTING)) == ["before", "after"]


async def test_while_the_server_is_away_everything_is_refused_in_time_and_recovers(cut: Cut) -> None:
    async with open_postgres_log(cut.url, partitions=1) as log:
        owner = await log.own("router", 0)
        cut.down()
        async with asyncio.timeout(PATIENCE_SECONDS):
            failures = await asyncio.gather(
                log.append(0, drafts("lost")),
                owner.commit(drafts("again")),
                log.ends([(ROUTING, 0)]),
                *(log.ends([(ROUTING, 0)]) for _ in range(20)),
                log.own("sla", 0),
                return_exceptions=True,
            )
        assert [type(failure) for failure in failures] == [Aborted, Aborted, *[LogError] * 22]
        causes = [failure.__cause__ for failure in failures if isinstance(failure, LogError)]
        assert all(isinstance(cause, DATABASE_TROUBLE) for cause in causes), causes
        cut.up()
        await owner.commit(drafts("again"))
        assert values(await everything(log, ROUTING)) == ["again"]


async def test_a_waiting_reader_survives_the_servers_absence(cut: Cut) -> None:
    async with open_postgres_log(cut.url, partitions=1) as log:
        reader = await log.reader({(ROUTING, 0): 0})
        cut.down()
        reading = asyncio.create_task(read(reader, 1))
        await cut.refused.wait()
        cut.up()
        await log.append(0, drafts("news"))
        assert values(await reading) == ["news"]


@pytest.mark.parametrize(("at", "written"), [(At.AFTER_COMMIT, ["a"]), (At.BEFORE_COMMIT, [])])
async def test_a_commit_of_unknown_outcome_fences_its_owner(cut: Cut, at: At, written: list[str]) -> None:
    async with open_postgres_log(cut.url, partitions=1) as log:
        owner = await log.own("router", 0)
        await owner.commit([entity("k", "old")])
        cut.at = at
        for _ in range(2):
            with pytest.raises(Fenced):
                await owner.commit([draft("a"), entity("k", "new")])
        successor = await log.own("router", 0)
        assert await restored(successor) == {"k": "new" if written else "old"}
        await successor.commit(drafts("b"))
        assert values(await everything(log, ROUTING)) == [*written, "b"]


async def test_an_append_of_unknown_outcome_is_not_called_aborted(cut: Cut) -> None:
    async with open_postgres_log(cut.url, partitions=1) as log:
        await log.append(0, drafts("before"))
        cut.at = At.AFTER_COMMIT
        with pytest.raises(LogError) as failure:
            await log.append(0, drafts("a"))
        assert not isinstance(failure.value, Aborted)
        assert values(await everything(log, ROUTING)) == ["before", "a"]


async def test_too_much_that_waits_is_refused(cut: Cut) -> None:
    async with open_postgres_log(cut.url, partitions=1) as log:
        cut.down()
        batch = drafts(*range(1_000))
        results = await asyncio.gather(*(log.append(0, batch) for _ in range(120)), return_exceptions=True)
        reasons = [str(result) for result in results]
        assert reasons.count("too much waits to be written") == 20
        cut.up()
        assert len(await log.append(0, batch)) == 1_000


async def test_what_waits_at_the_end_is_written_first(cut: Cut) -> None:
    async with open_postgres_log(cut.url, partitions=1) as log:
        appending = [asyncio.create_task(log.append(0, drafts(n))) for n in range(50)]
        await asyncio.sleep(0)
    assert sorted(await asyncio.gather(*appending)) == [[n] for n in range(50)]


async def test_a_closed_log_takes_nothing(database_url: str) -> None:
    async with open_postgres_log(database_url, partitions=1) as log:
        pass
    with pytest.raises(LogError):
        await log.append(0, drafts("late"))


class BrokenClock(VirtualClock):
    def now(self) -> int:
        raise ZeroDivisionError


async def test_a_committer_that_fails_ends_the_log_and_who_stands_on_it(database_url: str) -> None:
    with pytest.raises(ZeroDivisionError):
        await stand_on_a_broken_clock(database_url)


async def stand_on_a_broken_clock(database_url: str) -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        open_postgres_log(database_url, partitions=1, clock=BrokenClock(0)) as log,
    ):
        with pytest.raises(LogError):
            await log.append(0, drafts("a"))
        await asyncio.Event().wait()
