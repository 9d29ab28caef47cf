"""What is told to operators holds no personal data, and one trace goes through."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from libs.common import telemetry
from libs.common.settings import Settings
from libs.common.telemetry import LOG_KEYS, log

SECRET = "mario.rossi@example.com"


@pytest.fixture
def logs(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    telemetry.configure("test", Settings(log_level="info"))
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    structlog.reset_defaults()
    logging.basicConfig(force=True)


def test_a_line_says_what_when_who_and_which_trace(logs: Any) -> None:
    with telemetry.span("work"):
        trace_id = telemetry.current_trace_id()
        log.info("contact queued", contact_id="con_x", queue="social")
    (line,) = logs()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "contact queued", "level": "info", "service": "test", "trace_id": trace_id,
        "contact_id": "con_x", "queue": "social",
    }  # fmt: skip


@pytest.mark.parametrize("value", [SECRET, [SECRET], {"address": SECRET}, SECRET.encode(), 393331234567])
def test_of_an_unknown_key_the_type_alone_is_written(logs: Any, value: Any) -> None:
    log.info("message taken", address=value, text=value)
    (line,) = logs()
    assert (line["address"], line["text"]) == (f"<{type(value).__name__}>",) * 2


def test_of_an_exception_the_place_is_written_and_not_the_message(logs: Any) -> None:
    try:
        raise KeyError(SECRET)
    except KeyError as failure:
        log.error("failed", exc_info=True)
        log.error("failed", error=failure)
    first, second = logs()
    assert first["error"] == second["error"] == "KeyError"
    assert re.search(r"test_telemetry.py:\d+ test_of_an_exception", first["frames"][0])
    assert SECRET not in json.dumps([first, second])


def test_of_a_librarys_message_the_template_is_written(logs: Any) -> None:
    logger = logging.getLogger("somebody.else")
    logger.warning("can't deliver to %s", SECRET)
    logger.error("Task exception was never retrieved\nfuture: %s", SECRET)
    logger.info("chatter")
    try:
        raise ValueError(SECRET)
    except ValueError:
        logger.exception("oh no")
    lines = logs()
    assert [line["event"] for line in lines] == ["can't deliver to %s", "Task exception was never retrieved", "oh no"]
    assert lines[2]["error"] == "ValueError"
    assert SECRET not in json.dumps(lines)


def test_quieter_than_the_level_is_not_written(logs: Any) -> None:
    log.debug("a detail")
    assert logs() == []


def test_no_key_that_is_written_could_hold_a_persons_data() -> None:
    assert LOG_KEYS.isdisjoint(
        {"text", "name", "address", "email", "phone", "handle", "body", "note", "agent", "source_id"}
    )


def test_a_trace_goes_on_across_processes() -> None:
    with telemetry.span("here"):
        traceparent, trace_id = telemetry.current_traceparent(), telemetry.current_trace_id()
    with telemetry.span("there", traceparent=traceparent):
        assert telemetry.current_trace_id() == trace_id
        assert telemetry.current_traceparent() != traceparent
    assert telemetry.current_traceparent() is None


@pytest.mark.parametrize("garbage", ["", "x", "00-0-0-0", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_traceparent_that_is_none_begins_a_new_trace(garbage: str) -> None:
    with telemetry.span("work", traceparent=garbage):
        assert re.fullmatch("[0-9a-f]{32}", telemetry.current_trace_id() or "")


async def test_spans_go_to_the_collector_that_is_named() -> None:
    received: list[bytes] = []

    async def collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        received.append(head + await reader.readexactly(int(length[1]) if length else 0))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(collect, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = Settings.model_validate({"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"})
        telemetry.configure("test", settings)
        with telemetry.span("a piece of work"):
            pass
        await asyncio.to_thread(telemetry.shutdown)
    telemetry.configure("test", Settings())
    assert received[0].startswith(b"POST /v1/traces ")
