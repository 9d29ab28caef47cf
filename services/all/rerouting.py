"""`omniroute replay --policy`: what other weights would have made of the recorded log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from libs.common.events import CONTACTS, ESCALATIONS, ROUTING, Event, Topic
from libs.common.events.codec import Unreadable, decode
from libs.common.log import Log
from libs.common.machine import POSITIONS_KEY, Positions
from libs.common.replay import READ_MAX, READ_WAIT_SECONDS
from libs.common.settings import Settings
from services.all.foundation import Foundation, founded
from services.all.replaying import beginning
from services.router.core.core import RouterCore
from services.simulator.metrics import estimates
from services.simulator.policies import Policy
from services.simulator.recording import Recording, recording
from services.simulator.reroute import Reroute
from services.simulator.runs import Result, Results

TOLD_BY: Final = (CONTACTS, ROUTING, ESCALATIONS)
RECORDED: Final = "recorded"
"""What the weights that the log had make of it, with the same simulated agents."""


async def reroute_log(
    settings: Settings, start: int, end: int | None, policies: Sequence[Policy], progress: Callable[[str], None]
) -> Results:
    """Of every pool in which somebody came between `start` and `end` (microseconds): the recorded weights and each of
    `policies`. The log is read, never written."""
    async with founded(settings, set_up=False) as foundation:
        results: list[Result] = []
        for partition in range(foundation.log.partitions):
            progress(f"partition {partition}")
            recorded = await record_of(foundation, partition, start, end)
            for policy in (Policy(RECORDED), *policies):
                results += results_of(recorded, policy, start)
    return Results(results=sorted(results, key=lambda result: result.scenario))


def results_of(recorded: Recording, policy: Policy, start: int) -> list[Result]:
    books = Reroute(recorded, policy.weights).run()
    return [
        Result(scenario=pool, policy=policy.name, seeds=(), metrics=estimates([measured]))
        for pool, measured in books.by_pool(start, recorded.end).items()
    ]


async def record_of(foundation: Foundation, partition: int, start: int, end: int | None) -> Recording:
    """From the snapshot before `start`, so that who was there and what waited then is known."""
    entities = await beginning(foundation, RouterCore.service, partition, start)
    kept = next((msgspec.json.decode(value, type=Positions) for key, value in entities if key == POSITIONS_KEY), None)
    positions = kept or Positions()
    events = [
        event
        for topic in TOLD_BY
        for event in await read_events(foundation.log, topic, partition, positions.inputs.get(topic, 0))
    ]
    return recording(entities, positions.at, end, events)


async def read_events(log: Log, topic: Topic, partition: int, start: int) -> list[Event]:
    """All that can be read of a topic's partition, as it is now."""
    place = (topic, partition)
    end = (await log.stable_ends([place]))[place]
    reader = await log.reader({place: start})
    events: list[Event] = []
    try:
        while reader.next_positions()[place] < end:
            for record in await reader.read(max_records=READ_MAX, wait_seconds=READ_WAIT_SECONDS):
                with suppress(Unreadable):  # It became a dead letter, and routed nothing.
                    events.append(decode(record.key, record.value, record.headers).event)
    finally:
        await reader.close()
    return events
