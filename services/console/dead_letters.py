"""What could not be read or decided, straight from its topic; and putting it back where it came from."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends

from libs.common.auth import Caller, caller
from libs.common.errors import NotFound
from libs.common.events import DEAD_LETTERS
from libs.common.http import ApiRouter, Id, StrictModel, from_app
from libs.common.log import Draft, Log, Record

router = ApiRouter(tags=["operations"])

READ_MAX: Final = 500
SHOWN_MAX: Final = 200
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


class DeadLetters(StrictModel):
    items: list[DeadLetter]
    next_cursor: None = None


@router.get("/v1/dead-letters")
async def list_dead_letters(admin: Admin, log: LogPart) -> DeadLetters:
    """The latest of this workspace, newest first."""
    letters = [record for record in await _latest(log) if record.key.split("/", 1)[0] == admin.workspace]
    return DeadLetters(items=[_shown(record) for record in reversed(letters[-SHOWN_MAX:])])


@router.post("/v1/dead-letters/{letter_id}/retry", status_code=202)
async def retry_dead_letter(letter_id: Id, admin: Admin, log: LogPart) -> DeadLetter:
    """Append the record to its topic again, as it came; if it still can't be decided it comes back here."""
    record = await _find(log, letter_id)
    if record is None or record.key.split("/", 1)[0] != admin.workspace or record.value is None:
        raise NotFound("there is no such dead letter")
    headers = {name: value for name, value in record.headers.items() if name not in ADDED_HEADERS | {"omni-outbox"}}
    draft = Draft(topic=record.headers["topic"], key=record.key, value=record.value, headers=headers)
    await log.append(record.partition, [draft])
    return _shown(record)


async def _latest(log: Log) -> list[Record]:
    """Up to READ_MAX of each partition's last dead letters, in no order between partitions."""
    ends = await log.stable_ends([(DEAD_LETTERS, partition) for partition in range(log.partitions)])
    return await _read(log, {place: max(0, end - READ_MAX) for place, end in ends.items() if end})


async def _find(log: Log, letter_id: str) -> Record | None:
    partition, _, position = letter_id.partition("-")
    if not (partition.isdecimal() and position.isdecimal() and int(partition) < log.partitions):
        return None
    place = (DEAD_LETTERS, int(partition))
    end = (await log.stable_ends([place]))[place]
    if int(position) >= end:
        return None
    records = await _read(log, {place: int(position)})
    return next((record for record in records if record.position == int(position)), None)


async def _read(log: Log, start: dict[tuple[str, int], int]) -> list[Record]:
    if not start:
        return []
    ends = await log.stable_ends(list(start))
    reader = await log.reader(start)
    records: list[Record] = []
    try:
        while any(reader.next_positions()[place] < ends[place] for place in start) and len(records) < READ_MAX:
            records += await reader.read(max_records=READ_MAX, wait_seconds=0.2)
    finally:
        await reader.close()
    return records


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
