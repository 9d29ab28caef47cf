"""Every public event of omniroute, each once and in order, from Kafka.

    python consumer.py localhost:9092
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer

TOPICS = ("omniroute.contacts.v1", "omniroute.routing.v1", "omniroute.escalations.v1")
Handle = Callable[[str, dict[str, Any]], None]


class Once:
    """Drops what was seen. Keep `seen` where `handle` keeps its results, and write both in one transaction."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.seen: dict[tuple[str, str], int] = {}

    def take(self, headers: dict[str, str], event: dict[str, Any]) -> None:
        subject = headers["ce_source"], headers["ce_id"].rpartition(".")[0]  # con_x.routing.7 without its number
        last = self.seen.get(subject, 0)
        if event["sequence"] <= last:
            return  # The relay or the broker gave it again, or it is a workspace's event from another partition.
        if last and event["sequence"] > last + 1:
            self.handle("gap", {"subject": subject[1], "after": last, "before": event["sequence"]})
        self.seen[subject] = event["sequence"]
        self.handle(headers["ce_type"], event)


async def consume(servers: str, once: Once, topics: Iterable[str] = TOPICS, group: str = "my-crm") -> None:
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=servers,
        group_id=group,
        isolation_level="read_committed",  # Without it you read decisions that were never taken.
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        while True:
            for records in (await consumer.getmany(timeout_ms=1_000)).values():
                for record in records:
                    headers = {name: value.decode() for name, value in record.headers}
                    once.take(headers, json.loads(record.value))
            await consumer.commit()  # After the work: a crash in between repeats it, and `Once` drops the repeat.


if __name__ == "__main__":
    asyncio.run(consume(sys.argv[1], Once(print)))
