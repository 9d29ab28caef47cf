"""Which way reaches a human soonest, now."""

from __future__ import annotations

import msgspec
from fastapi import Request

from libs.common.directory import ChannelWait, RoutingView
from libs.common.http import ApiRouter, Page, ViewModel
from libs.common.parts import optional_part
from services.ingest.api_parts import Reader

router = ApiRouter(tags=["channels"])


class ChannelView(ViewModel):
    channel: str
    medium: str
    pool: str
    queue: str
    """Where most of the channel's contacts went within the last hour."""
    expected_wait_seconds: float | None
    """Until an agent has it, for somebody who comes now and is like who came last."""
    expected_wait_interval: tuple[float, float] | None
    """Between these the wait ends four times in five."""
    expected_wait_unknown: str | None
    """Why there is no number: `nobody_available`, `too_few_seen` or `too_many_waiting`."""


@router.get("/v1/channels")
async def list_channels(by: Reader, request: Request) -> Page[ChannelView]:
    """The channels on which somebody came within the last hour, the soonest way to a human first; those of which
    nobody knows come last. They are few, so they come on one page."""
    view: RoutingView | None = optional_part(request, RoutingView)
    waits = [] if view is None else await view.channels(by.workspace)
    return Page(items=[shown(one) for one in waits])


def shown(one: ChannelWait) -> ChannelView:
    return ChannelView(
        channel=one.channel, medium=one.medium, pool=one.pool, queue=one.queue, **msgspec.structs.asdict(one.wait)
    )
