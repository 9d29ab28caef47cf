"""Real `omniroute` processes that are killed and start again, and a way in that doesn't mind."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import sys
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from libs.common import crash
from tests.kafka.kafka_broker import free_ports

ROOT = Path(__file__).resolve().parents[3]
READY_SECONDS_MAX: Final = 180
LOOK_SECONDS: Final = 0.1
HOST: Final = "127.0.0.1"
ROUTES: Final = (
    ("ingest", r"POST /v1/(contacts|contacts/batch|events)"),
    ("ingest", r"\w+ /v1/(accounts|customers|channels)(/.*)?"),
    ("ingest", r"\w+ /v1/contacts/[^/]+/(responses|messages)"),
    ("sla", r"\w+ /v1/(targets|calendars|attainment|breaches)(/.*)?"),
    ("router", r"\w+ /v1/.*"),
)
"""Which service answers what, the first match: deploy/compose/routes.yml for as much of it as bots ask."""


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@dataclass(kw_only=True)
class Slot:
    """A place for one process: whenever it dies it is started again, with the next order to die."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    home: Path
    orders: deque[str] = field(default_factory=deque)
    deaths: Counter[str] = field(default_factory=Counter)
    """How often it died, by the point at which it did, or how else."""
    port: int = field(default_factory=lambda: free_ports(1)[0])
    died: asyncio.Event = field(default_factory=asyncio.Event)
    process: asyncio.subprocess.Process | None = None
    _order: str | None = None
    _keeper: asyncio.Task[None] | None = None

    @property
    def base(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def output(self) -> Path:
        return self.home / f"{self.name}.log"

    @property
    def done(self) -> bool:
        """Every order was carried out."""
        return not self.orders and self._order is None

    async def start(self) -> None:
        await self._launch()
        self._keeper = asyncio.create_task(self._keep())

    async def ready(self) -> None:
        """Until it answers. Fails with its last words."""
        async with httpx.AsyncClient() as client:
            for _ in range(round(READY_SECONDS_MAX / LOOK_SECONDS)):
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"{self.base}/readyz")).is_success:
                        return
                await asyncio.sleep(LOOK_SECONDS)
        raise AssertionError(f"{self.name} isn't ready:\n{self.last_words()}")

    def kill(self, why: str) -> None:
        """SIGKILL from outside."""
        assert self.process is not None
        self._order, self._reason = self._order, why
        self.process.kill()

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def stop(self, seconds: float = 30) -> int:
        """SIGTERM; its exit status."""
        assert self.process is not None
        if self._keeper is not None:
            self._keeper.cancel()
        self.process.terminate()
        try:
            return await asyncio.wait_for(self.process.wait(), seconds)
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()

    def last_words(self, characters: int = 3_000) -> str:
        return self.output.read_text(errors="replace")[-characters:]

    _reason: str | None = None

    async def _launch(self) -> None:
        self._order = self.orders.popleft() if self.orders else None
        self._reason = None
        ordered = {} if self._order is None else {crash.VARIABLE: self._order}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OMNIROUTE_")}
        with self.output.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.all", *self.command, cwd=ROOT, preexec_fn=die_with_parent,
                env=inherited | dict(self.env) | {"OMNIROUTE_PORT": str(self.port)} | ordered,
                stdout=output, stderr=output,
            )  # fmt: skip

    async def _keep(self) -> None:
        while True:
            assert self.process is not None
            status = await self.process.wait()
            self._note(status)
            await self._launch()

    def _note(self, status: int) -> None:
        if status != -signal.SIGKILL:
            self.deaths["unasked"] += 1
            print(f"{self.name} ended by itself ({status}):\n{self.last_words()}")
        elif self._reason is not None:
            self.deaths[self._reason] += 1
            if self._order is not None:
                self.orders.appendleft(self._order)  # It never came to it.
        else:
            assert self._order is not None, f"who killed {self.name}?"
            self.deaths[self._order.partition(":")[0]] += 1
        self.died.set()


class Ways(httpx.AsyncBaseTransport):
    """To whichever process of the right service answers: a gateway with two lines of sense."""

    def __init__(self, slots: Mapping[str, Iterable[Slot]]) -> None:
        self._slots = {service: deque(of) for service, of in slots.items()}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
        self._inner = httpx.AsyncHTTPTransport(limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        slots = self._slots[service_of(request)]
        for _ in range(len(slots)):
            slots.rotate()  # In turn: the next try asks another.
            request.url = request.url.copy_with(scheme="http", host=HOST, port=slots[0].port)
            with contextlib.suppress(httpx.ConnectError):
                return await self._inner.handle_async_request(request)
        raise httpx.ConnectError("nobody is there", request=request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def service_of(request: httpx.Request) -> str:
    asked = f"{request.method} {request.url.path}"
    return next(service for service, pattern in ROUTES if re.fullmatch(pattern, asked))
