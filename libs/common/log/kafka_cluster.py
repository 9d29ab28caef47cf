"""How we speak to Kafka: the settings that were measured to work, deadlines, and records on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from libs.common.log.port import Draft, LogError, Place, Record
from libs.common.log.topics import BATCH_BYTES_MAX

T = TypeVar("T")

RECORD_BYTES_MAX: Final = 4 * 2**20
SEND_SECONDS: Final = 8.0
"""From a send to its ack; below the transaction's own time-out, after which the broker aborts it."""
TRANSACTION_TIMEOUT_MS: Final = 10_000
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 5.0
REQUEST_TIMEOUT_MS: Final = 15_000
FETCH_WAIT_MS: Final = 500
"""News ends a fetch at once; asking more often only costs: at 100 an idle broker spent a third of a CPU on it."""
RETRY_BACKOFF_MS: Final = 10
"""The default of 100 is slept between transactions: 28 of them a second instead of 136."""
_RECORD_OVERHEAD_BYTES: Final = 70
KAFKA_FAILURES: Final = (KafkaError, TimeoutError, AssertionError)
"""What aiokafka raises; it asserts that a client which failed isn't used again."""


class Cluster:
    """A Kafka cluster and our names on it. Whatever was started here is stopped by `close`."""

    def __init__(self, bootstrap: str, *, partitions: int, topic_prefix: str) -> None:
        self.partitions = partitions
        self.prefix = topic_prefix
        self._bootstrap = bootstrap
        self._started: set[AIOKafkaProducer | AIOKafkaConsumer] = set()
        self._stopping: set[asyncio.Task[None]] = set()

    async def producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        """A started producer; with an id it has fenced its predecessor and ended what that one had begun."""
        transactional = {
            "transactional_id": f"{self.prefix}{transactional_id}",
            "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS,
        }
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=BATCH_BYTES_MAX,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            **(transactional if transactional_id else {}),
        )
        return await self._start(producer)

    async def consumer(
        self, *, group: str | None = None, isolation_level: str = "read_committed"
    ) -> AIOKafkaConsumer:
        """A started consumer of nothing yet, that will see only what is committed unless it is told otherwise."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=group and f"{self.prefix}{group}",
            enable_auto_commit=False,
            isolation_level=isolation_level,
            auto_offset_reset="earliest",
            session_timeout_ms=6_000,
            heartbeat_interval_ms=600,
            rebalance_timeout_ms=15_000,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_max_bytes=16 * 2**20,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=RETRY_BACKOFF_MS,
        )
        return await self._start(consumer)

    async def reading(self, start: dict[TopicPartition, int]) -> AIOKafkaConsumer:
        """A started consumer of these partitions at these offsets, in no group."""
        consumer = await self.consumer()
        consumer.assign(list(start))
        for place, offset in start.items():  # Before anything is fetched: nothing was awaited since `assign`.
            consumer.seek(place, offset)
        return consumer

    async def _start(self, client: Any) -> Any:
        self._started.add(client)
        try:
            async with asyncio.timeout(START_SECONDS):
                await client.start()
        except BaseException:
            self.stop_soon(client)
            raise
        return client

    async def stop(self, client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
        """Stop it within STOP_SECONDS, or cut its connections."""
        self._started.discard(client)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await client.stop()
        except KAFKA_FAILURES:
            await _cut(client)

    def stop_soon(self, client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
        """Stop it while its caller goes on."""
        stopping = asyncio.create_task(self.stop(client))
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopping.discard)

    async def close(self) -> None:
        await asyncio.gather(*(self.stop(client) for client in tuple(self._started)), *self._stopping)

    # -- names and records on the wire --------------------------------------------------------------------------

    def place(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(self.prefix + topic, partition)

    def our_place(self, place: TopicPartition) -> Place:
        return place.topic[len(self.prefix) :], place.partition

    def check_partition(self, partition: int) -> None:
        if not 0 <= partition < self.partitions:
            raise ValueError(f"there is no partition {partition} of {self.partitions}")

    def batches(self, producer: AIOKafkaProducer, drafts: Iterable[Draft]) -> list[tuple[str, Any]]:
        """(topic on the wire, batch) in the order in which they must be sent; few of them, as batches are big."""
        built: list[tuple[str, Any]] = []
        open_batches: dict[str, Any] = {}
        for draft in drafts:
            batch = open_batches.get(draft.topic)
            if batch is None or not _put(batch, draft):
                batch = open_batches[draft.topic] = producer.create_batch()
                built.append((self.prefix + draft.topic, batch))
                assert _put(batch, draft), "the first record always fits"
        return built

    def records(self, place: TopicPartition, found: Iterable[Any]) -> list[Record]:
        topic, partition = self.our_place(place)
        return [
            Record(
                topic=topic,
                partition=partition,
                position=record.offset,
                key=_text(record.key or b""),
                value=record.value,
                headers={name: _text(value) for name, value in record.headers},
            )
            for record in found
        ]


def _put(batch: Any, draft: Draft) -> bool:
    headers = [(name, value.encode()) for name, value in draft.headers.items()]
    return batch.append(timestamp=None, key=draft.key.encode(), value=draft.value, headers=headers) is not None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")  # A stranger's bytes must not stop the partition.


def size_of(drafts: Sequence[Draft]) -> int:
    """Bytes on the wire, at most. Raises ValueError for a record that no topic takes."""
    sizes = [_size_of(draft) for draft in drafts]
    if max(sizes, default=0) > RECORD_BYTES_MAX:
        raise ValueError(f"a record of {max(sizes)} bytes is over the {RECORD_BYTES_MAX} that the log takes")
    return sum(sizes)


def _size_of(draft: Draft) -> int:
    # Lengths of text are of characters, each at most four bytes.
    headers = sum(len(name) + len(value) + 4 for name, value in draft.headers.items())
    return _RECORD_OVERHEAD_BYTES + 4 * (len(draft.key) + headers) + len(draft.value or b"")


async def _cut(client: Any) -> None:
    inner = client.client if isinstance(client, AIOKafkaProducer) else client._client
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await inner.close()


@contextmanager
def log_errors(doing: str) -> Iterator[None]:
    """Kafka's failures as the port names them."""
    try:
        yield
    except KAFKA_FAILURES as error:
        raise LogError(f"{doing}: {error!r}") from error


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Finish the work even when its caller is cancelled meanwhile."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
