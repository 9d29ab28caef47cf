"""The notifier's surroundings, with keys for each of two workspaces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from libs.common import telemetry
from libs.common.auth import Keys
from libs.common.clock import VirtualClock
from libs.common.postgres import Database
from tests.integration.notifier.desk import MASTER_KEY, NOW, Desk, Open
from tests.integration.notifier.receiver import Receiver
from tests.integration.workspaces import begin_workspaces


@pytest.fixture(autouse=True)
def short_logs() -> Iterator[None]:
    """As in production: structlog's own tracebacks of an application take seconds to draw."""
    structlog.configure(processors=[telemetry.exception_without_values, structlog.processors.JSONRenderer()])
    yield
    structlog.reset_defaults()


@pytest.fixture
async def desk(database: Database) -> Desk:
    clock = VirtualClock(NOW)
    keys = Keys(database, clock, MASTER_KEY)
    await begin_workspaces(database, "default", "other")
    given = {workspace: await keys.put(workspace, "tests", "admin") for workspace in ("default", "other")}
    given["viewer"] = await keys.put("default", "looks", "viewer")
    given["integration"] = await keys.put("default", "platform", "integration")
    given["agent"] = await keys.put("default", "ann", "agent", agent="ann")
    return Desk(database, clock, keys, given)


@pytest.fixture
async def opened(desk: Desk) -> AsyncIterator[Open]:
    async with desk.open() as opened:
        yield opened


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver
