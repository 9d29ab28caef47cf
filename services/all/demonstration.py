"""`omniroute demo`: what `up` does, in a folder of its own, with a made-up company that keeps it busy."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Final

from pydantic import SecretStr

from libs.common.settings import Settings, SettingsError, is_loopback
from services.all import server
from services.all.rooms import SERVICES
from services.demo.company import run_company

DEMO_KEY: Final = "omni_demo-key-that-everybody-knows"
FOLDER_SUFFIX: Final = "-demo"


def demo_settings(settings: Settings) -> Settings:
    """Beside the data folder, never in it. Raises SettingsError for what could touch anything real."""
    given = [name for name in ("database_url", "kafka") if getattr(settings, name) is not None]
    wrong = [f"OMNIROUTE_{name.upper()}: the demo has a database and a log of its own" for name in given]
    if settings.admin_key is None and not is_loopback(settings.host):
        wrong.append("OMNIROUTE_ADMIN_KEY: is needed where others can reach the demo: its own key is known to all")
    if wrong:
        raise SettingsError(wrong)
    real = settings.data_dir.resolve()
    folder = real.parent / (real.name + FOLDER_SUFFIX)
    return settings.model_copy(update={"data_dir": folder, "admin_key": settings.admin_key or SecretStr(DEMO_KEY)})


async def run(settings: Settings, announce: server.Announce) -> None:
    """Serve and keep busy until SIGTERM or SIGINT. Raises what `server.run` raises and what the company couldn't do."""
    assert settings.admin_key is not None, "demo_settings gives one"
    key = settings.admin_key.get_secret_value()

    async with asyncio.TaskGroup() as tasks:
        companies: list[asyncio.Task[None]] = []

        def ready(url: str, _: str | None) -> None:
            announce(url, key)
            companies.append(tasks.create_task(run_company(url, key, Random())))  # noqa: S311 - no secret

        await server.run(settings, SERVICES, ready)
        for company in companies:
            company.cancel()
