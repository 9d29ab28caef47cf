"""omniroute as a newcomer starts it: the real command, a folder of its own, a free port."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
STOP_SECONDS = 60
LOOK_SECONDS = 0.1
KEY = re.compile(r"omni_\S+(?=\n)")
READY = re.compile(r"omniroute is ready: .+\n")


@dataclass(frozen=True)
class House:
    port: int
    key: str
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The parsed answer. Raises urllib.error.HTTPError for a refusal."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def started(
    command: str, folder: Path, settings: Mapping[str, str] | None = None, *, key: str | None = None
) -> Iterator[House]:
    """Runs `omniroute <command>` until the end of the block; all that it says is in `said` of the folder.

    `key` is the admin key of an earlier start in this folder: it is told once. `settings` come on top of a free port
    and the folder's `data`."""
    port, said = free_port(), folder / "said"
    env = {name: value for name, value in os.environ.items() if not name.startswith("OMNIROUTE_")}
    env |= {"OMNIROUTE_PORT": str(port), "OMNIROUTE_DATA_DIR": str(folder / "data"), **(settings or {})}
    with said.open("w") as words:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.all", command],
            cwd=ROOT,
            env=env,
            stdout=words,
            stderr=subprocess.STDOUT,
        )
    try:
        announced = READY if key else KEY
        found = told(process, said, announced)
        yield House(port=port, key=key or found, process=process)
    finally:
        stop(process)


def told(process: subprocess.Popen[bytes], said: Path, what: re.Pattern[str]) -> str:
    """What the process says when everything answers."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if found := what.search(said.read_text()):
            return found[0]
        time.sleep(LOOK_SECONDS)
    raise AssertionError(f"it isn't ready: {said.read_text()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C; whoever doesn't stop by it is a failure."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
