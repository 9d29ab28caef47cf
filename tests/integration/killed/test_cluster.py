"""Four services on a real Kafka, a standby router, agents and customers: whatever is killed, the promises hold."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import httpx
import msgspec
import pytest

from libs.common.crash import Point
from libs.common.events import COMMANDS, CONTACTS, ROUTER_JOURNAL, TOPICS
from libs.common.log import Draft, Log, LogError, Reader
from libs.common.log.kafka import open_kafka_log
from libs.common.log.topics import create_topics
from libs.common.machine import JournalEntry
from tests.conftest import own_kafka
from tests.integration.killed import plans
from tests.integration.killed.company import KEY, PARTITIONS, WORKSPACE, Company, pools, write_under_fire
from tests.integration.killed.judge import judge, standing, summary
from tests.integration.killed.processes import Slot, Ways

OWNER_POINTS: tuple[Point, ...] = ("owner.begun", "owner.acked", "owner.committed", "worker.committed")
TAKEN_OVER_SECONDS_MAX = 60
CHAOS_SECONDS_MAX = 500
BAD = b"\xff no event of ours"


@pytest.fixture
def own_broker() -> Iterator[str]:
    """A broker that no other test has written to."""
    with own_kafka() as bootstrap:
        yield bootstrap


class Cluster:
    """The processes. Two routers share the partitions; if one dies, the other takes over."""

    def __init__(self, env: dict[str, str], home: Path, rng: Random) -> None:
        def slot(name: str, orders: deque[str]) -> Slot:
            command = ("serve", name.partition("-")[0])
            settings = env | {"OMNIROUTE_DATA_DIR": str(home / name)}
            return Slot(name=name, command=command, env=settings, home=home, orders=orders)

        self._slot = slot
        self.ingest = slot("ingest", plans.orders(rng, ["log.appended"]))
        self.router = slot("router-1", plans.orders(rng, [*OWNER_POINTS, "worker.restoring", "log.appended"]))
        self.standby = slot("router-2", deque())
        self.sla = slot("sla", plans.orders(rng, [*OWNER_POINTS, "worker.restoring"], plans.EACH_POINT // 3))
        self.notifier = slot("notifier", deque())
        self.slots = [self.ingest, self.router, self.standby, self.sla, self.notifier]

    async def start(self) -> None:
        """All of them; the console lives only until it has made the first start."""
        orders = [(slot, slot.orders) for slot in self.slots]
        for slot in self.slots:
            slot.orders = deque()
            await slot.start()
        console = self._slot("console", deque())
        await console.start()
        await asyncio.gather(*(slot.ready() for slot in [*self.slots, console]))
        assert await console.stop() == 0, console.last_words()
        for slot, ordered in orders:
            slot.orders = ordered

    async def stop(self) -> None:
        """All of them, in order and in peace."""
        for slot in self.slots:
            await slot.stop()

    def ways(self) -> Ways:
        routers = [self.router, self.standby]
        return Ways({"ingest": [self.ingest], "router": routers, "sla": [self.sla]})


@asynccontextmanager
async def started(bootstrap: str, database_url: str, home: Path, rng: Random) -> AsyncIterator[Cluster]:
    await create_topics(bootstrap, TOPICS, partitions=PARTITIONS)
    env = {
        "OMNIROUTE_KAFKA": bootstrap, "OMNIROUTE_DATABASE_URL": database_url, "OMNIROUTE_ADMIN_KEY": KEY,
        "OMNIROUTE_PARTITIONS": str(PARTITIONS), "OMNIROUTE_SECRET_KEY": "a secret key that all share",
    }  # fmt: skip
    cluster = Cluster(env, home, rng)
    await cluster.start()
    try:
        yield cluster
    finally:
        await cluster.stop()


async def kill_all_in_turn(cluster: Cluster, rng: Random, log: Log) -> None:
    """The orders wait for their processes' next start, so each begins with a death at random."""
    victims = [cluster.router, cluster.ingest, cluster.sla]
    victims += [rng.choice(cluster.slots) for _ in range(plans.RANDOM_KILLS - 1)]
    for victim in victims:
        await asyncio.sleep(rng.uniform(0.5, 3))
        victim.died.clear()
        victim.kill("random")
        await victim.died.wait()
    while not all(slot.done for slot in cluster.slots):  # noqa: ASYNC110 - processes tell by dying
        await asyncio.sleep(0.2)
    await append_bad_records(log)
    await stand_still(cluster, log)


async def append_bad_records(log: Log) -> None:
    """P12: what nobody can read, in the middle of the traffic of every partition."""
    for partition, pool in enumerate(pools()):
        drafts = [Draft(topic=topic, key=f"{WORKSPACE}/{pool}", value=BAD) for topic in (COMMANDS, CONTACTS)]
        while True:
            try:
                await log.append(partition, drafts)
                break
            except LogError as failure:
                print(f"again, at worst twice: {failure}")


async def stand_still(cluster: Cluster, log: Log) -> None:
    """P13: an owner stands still until its partitions are taken over, and then wants to go on."""
    await cluster.router.ready()
    places = [(ROUTER_JOURNAL, partition) for partition in range(PARTITIONS)]
    reader = await log.reader(await log.ends(places))
    cluster.standby.signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(TAKEN_OVER_SECONDS_MAX):
            while not any(entry.restored_at for entry in await entries(reader)):
                pass
    finally:
        cluster.standby.signal(signal.SIGCONT)
        await reader.close()
    await cluster.standby.ready()


async def entries(reader: Reader) -> list[JournalEntry]:
    records = await reader.read(max_records=100, wait_seconds=1)
    return [msgspec.json.decode(record.value or b"", type=JournalEntry) for record in records]


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_cluster_of_mortals_keeps_every_promise(own_broker: str, database_url: str, tmp_path: Path) -> None:
    rng, seed = plans.seeded()
    print(f"seed {seed}, {plans.CONTACTS} contacts")
    async with open_kafka_log(own_broker, partitions=PARTITIONS) as log:
        async with started(own_broker, database_url, tmp_path, rng) as cluster:
            try:
                company = await under_fire(cluster, rng, log)
            except BaseException:
                print(plans.shown({slot.name: slot.deaths for slot in cluster.slots}), await standing(log), sep="\n")
                raise
        report = await judge(log, database_url, company.ledger)
    print(plans.shown({slot.name: slot.deaths for slot in cluster.slots}))
    print(summary(company, report))
    print(f"the one that stood still was fenced {cluster.standby.output.read_text().count('fenced')} times")
    check_deaths(cluster)
    assert report.records["omniroute.dead-letters.v1"] >= 2 * PARTITIONS


async def under_fire(cluster: Cluster, rng: Random, log: Log) -> Company:
    headers = {"authorization": f"Bearer {KEY}"}
    client = httpx.AsyncClient(transport=cluster.ways(), base_url="http://omniroute", headers=headers, timeout=10)
    async with client:
        company = Company(client, Random(rng.random()))
        await company.furnish()
        async with company.at_work():
            await write_under_fire(company, kill_all_in_turn(cluster, rng, log), plans.RATE, plans.CONTACTS)
            await company.settled()
    return company


def check_deaths(cluster: Cluster) -> None:
    """Every point was reached as often as it should be, and nothing died unasked."""
    deaths = sum((slot.deaths for slot in cluster.slots), Counter[str]())
    assert not deaths["unasked"]
    assert all(deaths[point] >= plans.EACH_POINT for point in (*OWNER_POINTS, "worker.restoring", "log.appended"))
