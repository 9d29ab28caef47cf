"""The documentation works in a real browser under its own strict policy, and asks nobody else for anything."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import async_playwright

from libs.common.http import build_app
from services.console.access import router

pytestmark = pytest.mark.browser


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it by this flag alone
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


async def test_the_documentation_shows_every_operation() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        assert os.environ.get("CI") != "true", "no Chromium"
        pytest.skip("no Chromium is here")
    said: list[str] = []
    asked: list[str] = []
    app = build_app("test", [router], {})
    async with served(app) as address, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{address}/docs")
        await page.click(".opblock-put .opblock-summary-control")
        await page.wait_for_selector(".opblock-put .opblock-body")
        operations = await page.query_selector_all(".opblock")
        await browser.close()
    assert len(operations) == sum(len(methods) for methods in app.openapi()["paths"].values()) > 10
    assert said == []
    assert all(url.startswith((address, "data:")) for url in asked)
