"""What could not be read or decided, straight from its topic; and putting a command back where it came from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, NamedTuple

from fastapi import Depends

from libs.common.auth import Caller, caller
from libs.common.errors import Conflict, NotFound
from libs.common.events import COMMANDS, DEAD_LETTERS
from libs.common.events.codec import instant
from libs.common.http import ApiRouter, Id, Page, Paging, StrictModel, from_app, page_of
from libs.common.log import Draft, Log, Record

router = ApiRouter(tags=["operations"])

PER_PARTITION_MAX: Final = 500
"""So many of a partition's last letters can be listed."""
READ_MAX: Final = 500
ADDED_HEADERS: Final = frozenset({"error", "topic", "partition", "offset"})

Admin = Annotated[Caller, Depends(caller("admin"))]
LogPart = Annotated[Any, Depends(from_app(Log))]


class DeadLetter(StrictModel):
    """`id` is `<partition>-<position>`; what the record said is not shown, it may be anything."""

    id: str
    topic: str
    partition: int
    offset: int
    type: str | None
    error: str
    bytes: int


class Letter(NamedTuple):
    """Sorted as they came: within a partition for certain, between partitions as far as what they say of when."""

    at: int
    partition: int
    position: int
    record: Record


@router.get("/v1/dead-letters")
async def list_dead_letters(admin: Admin, log: LogPart, page: Paging) -> Page[DeadLetter]:
    """This workspace's of the last 500 letters of each partition, newest first."""
    after = page.keys(int, int, int)
    letters = [letter for letter in await _latest(log) if letter.record.key.split("/", 1)[0] == admin.workspace]
    rows = sorted((one for one in letters if after is None or one[:3] < after), key=_order, reverse=True)
    return page_of(rows[: page.fetch], page, lambda letter: _shown(letter.record), _order)


@router.post("/v1/dead-letters/{letter_id}/retry", status_code=202)
async def retry_dead_letter(letter_id: Id, admin: Admin, log: LogPart) -> DeadLetter:
    """Append a command to its topic again, as it came; if it still can't be decided it comes back here.

    Only commands (409 `not_retryable`): other topics are public, and whoever reads them would take the record twice.
    """
    record = await _find(log, letter_id)
    if record is None or record.key.split("/", 1)[0] != admin.workspace or record.value is None:
        raise NotFound("there is no such dead letter")
    if record.headers.get("topic") != COMMANDS:
        raise Conflict("only a command can be put back; other topics have readers who saw it", code="not_retryable")
    headers = {name: value for name, value in record.headers.items() if name not in ADDED_HEADERS}
    await log.append(record.partition, [Draft(topic=COMMANDS, key=record.key, value=record.value, headers=headers)])
    return _shown(record)


async def _latest(log: Log) -> list[Letter]:
    """Up to PER_PARTITION_MAX of each partition's last dead letters, in no order between partitions."""
    ends = await log.stable_ends([(DEAD_LETTERS, partition) for partition in range(log.partitions)])
    ends = {place: end for place, end in ends.items() if end}
    return _letters(await _read(log, {place: max(0, end - PER_PARTITION_MAX) for place, end in ends.items()}, ends))


async def _find(log: Log, letter_id: str) -> Record | None:
    partition, _, position = letter_id.partition("-")
    if not (partition.isdecimal() and position.isdecimal() and int(partition) < log.partitions):
        return None
    place = (DEAD_LETTERS, int(partition))
    end = (await log.stable_ends([place]))[place]
    if int(position) >= end:
        return None
    records = await _read(log, {place: int(position)}, {place: int(position) + 1})
    return next((record for record in records if record.position == int(position)), None)


async def _read(log: Log, start: dict[tuple[str, int], int], ends: dict[tuple[str, int], int]) -> list[Record]:
    if not start:
        return []
    reader = await log.reader(start)
    records: list[Record] = []
    try:
        while any(reader.next_positions()[place] < end for place, end in ends.items()):
            records += await reader.read(max_records=READ_MAX, wait_seconds=0.2)
    finally:
        await reader.close()
    return records


def _letters(records: Iterable[Record]) -> list[Letter]:
    """With the time of each: its record's own, and no earlier than the one's before it in the partition."""
    latest: dict[int, int] = {}
    letters: list[Letter] = []
    for record in records:
        at = latest[record.partition] = max(latest.get(record.partition, 0), _dated(record))
        letters.append(Letter(at, record.partition, record.position, record))
    return letters


def _dated(record: Record) -> int:
    """0 for what says nothing that could be read."""
    try:
        return instant(record.headers.get("ce_time", ""))
    except ValueError:
        return 0


def _order(letter: Letter) -> tuple[int, int, int]:
    return letter[:3]


def _shown(record: Record) -> DeadLetter:
    return DeadLetter(
        id=f"{record.partition}-{record.position}",
        topic=record.headers.get("topic", ""),
        partition=record.partition,
        offset=int(record.headers.get("offset", "-1")),
        type=record.headers.get("ce_type"),
        error=record.headers.get("error", ""),
        bytes=len(record.value or b""),
    )
