"""What uvicorn says while it stops: a cut stream is no error, everything else is told."""

import asyncio
import logging

import pytest

from services.all.signals import is_news


@pytest.mark.parametrize(
    ("rule", "message", "failure", "told"),
    [
        ("a stream is cut", "Exception in ASGI application\n", asyncio.CancelledError(), False),
        ("it says how many", "Cancel %s running task(s), timeout graceful shutdown exceeded", None, False),
        ("a request fails", "Exception in ASGI application\n", ValueError(), True),
        ("a word without a failure", "Started server process", None, True),
    ],
)
def test_what_is_told(rule: str, message: str, failure: BaseException | None, told: bool) -> None:
    raised = None if failure is None else (type(failure), failure, None)
    record = logging.LogRecord("uvicorn.error", logging.ERROR, __file__, 1, message, (3,), raised)
    assert is_news(record) is told, rule
