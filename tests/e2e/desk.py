"""How the test speaks: one client that remembers every refusal."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx

PATIENCE_SECONDS = 60


class Desk:
    def __init__(self, url: str, key: str) -> None:
        self.client = httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30)
        self.refusals: list[httpx.Response] = []

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """The answer, whatever it is; a refusal is kept."""
        given = {} if body is None else {"json": body}
        answer = self.client.request(method, path, **given, **more)
        if answer.is_error:
            self.refusals.append(answer)
        return answer

    def done(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The answer's value. Raises AssertionError for a refusal: this call is a right one."""
        answer = self.call(method, path, body, **more)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def refused(self, status: int | tuple[int, ...], method: str, path: str, body: Any = None, **more: Any) -> None:
        answer = self.call(method, path, body, **more)
        wanted = (status,) if isinstance(status, int) else status
        assert answer.status_code in wanted, (method, path, answer.status_code, answer.text)

    def once(self, path: str, holds: Callable[[Any], bool]) -> Any:
        """The answer to a GET as soon as it is as wanted."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds(value := self.done("GET", path)):
            assert time.monotonic() < deadline, (path, value)
            time.sleep(0.05)
        return value

    def feed(self, until: str, count: int = 1) -> bytes:
        """The feed from its beginning until so many events of a type were seen."""
        lines: list[str] = []
        with self.client.stream("GET", "/v1/feed?after=0", timeout=PATIENCE_SECONDS) as answer:
            for line in answer.iter_lines():
                lines.append(line)
                count -= line == f"event: {until}"
                if not line and count <= 0:
                    break
        return "\n".join(lines).encode()


def shown(answer: httpx.Response) -> bytes:
    """All that a refusal says."""
    return json.dumps(list(answer.headers.multi_items())).encode() + answer.content
