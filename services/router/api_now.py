"""The moment: figures of a workspace and of a queue, and what became of a command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent

from libs.common.commands import Commands, CommandStatus
from libs.common.http import ApiRouter, Id, from_app
from services.router.api_parts import Reader, ReaderOrAgent, Shelled
from services.router.core.state import Queue
from services.router.stats import FIGURES_EVERY_SECONDS, Figures, QueueFigures

router = ApiRouter(tags=["now"])


@router.get("/v1/stats")
async def get_stats(by: Reader, shell: Shelled) -> Figures:
    return await shell.stats.workspace(by.workspace)


async def one_stream_more(shell: Shelled) -> AsyncIterator[None]:
    with shell.streams.opened():
        yield


@router.get("/v1/stats/stream", response_class=EventSourceResponse, dependencies=[Depends(one_stream_more)])
async def stream_stats(by: Reader, shell: Shelled) -> AsyncIterator[ServerSentEvent]:
    """`stats` at once, then whenever the figures changed, at most once a second."""
    shown: Figures | None = None
    while True:
        figures = await shell.stats.workspace(by.workspace)
        if shown is None or figures.differ_from(shown):
            shown = figures
            yield ServerSentEvent(event="stats", data=figures)
        await asyncio.sleep(FIGURES_EVERY_SECONDS)


@router.get("/v1/queues/{queue_id}/stats")
async def get_queue_stats(queue_id: Id, by: Reader, shell: Shelled) -> QueueFigures:
    row = await shell.reads.entity(by.workspace, "queue", queue_id)
    return await shell.stats.queue(by.workspace, row.entity(Queue), row.pool, row.partition)


@router.get("/v1/commands/{command_id}")
async def get_command(
    command_id: Id, by: ReaderOrAgent, commands: Annotated[Commands, Depends(from_app(Commands))]
) -> CommandStatus:
    """What became of a command whose answer did not come in time."""
    return await commands.status(by.workspace, command_id)
