"""What the program says of itself: JSON logs on stderr, Prometheus metrics, OpenTelemetry traces.

Logs hold no personal data: only values under the keys of `LOG_KEYS` are written, of any other the type alone; of an
exception its type and place, never its message (drivers put values there).
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge, Histogram

from libs.common.settings import Settings

LOG_KEYS: Final = frozenset(
    "event level timestamp service trace_id logger error frames workspace pool partition topic position positions "
    "batch count seconds status code reason route method service_name contact_id customer_id offer_id command_id "
    "delivery_id subscription queue target calendar provider account channel medium visibility attempt size epoch "
    "version state step signal port host url_host lag due_at at records bytes sequence migration kind".split()
)
EVENT_CHARACTERS_MAX: Final = 200
FRAMES_MAX: Final = 12
TRACES_PATH: Final = "/v1/traces"

http_requests_total = Counter(
    "omniroute_http_requests_total", "Requests answered", ["service", "method", "route", "status"]
)
http_request_seconds = Histogram(
    "omniroute_http_request_seconds", "Time to the answer's first byte", ["service", "method", "route"]
)
http_requests_refused_total = Counter(
    "omniroute_http_requests_refused_total", "Requests refused because it was too much", ["service", "reason"]
)
http_requests_in_progress = Gauge("omniroute_http_requests_in_progress", "Requests worked on now", ["service"])
commands_total = Counter("omniroute_commands_total", "Commands answered", ["kind", "status"])
command_seconds = Histogram("omniroute_command_seconds", "From the request to the answer", ["kind"])
dead_letters_total = Counter(
    "omniroute_dead_letters_total", "Records that could not be read or decided", ["service", "reason"]
)
batch_inputs = Histogram("omniroute_batch_inputs", "Inputs a batch", ["service"], buckets=(1, 2, 5, 20, 100, 500))
decision_seconds = Histogram(
    "omniroute_decision_seconds",
    "Core time an input",
    ["service"],
    buckets=(0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.005, 0.02),
)
log_commit_seconds = Histogram(
    "omniroute_log_commit_seconds",
    "From a batch's end to its commit",
    ["service"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2),
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()
_context = TraceContextTextMapPropagator()


class _Tracing:
    """The process's tracer; before `configure` its spans have ids and go nowhere."""

    provider = TracerProvider()


def configure(service: str, settings: Settings) -> None:
    """Sets up logs and traces of this process."""
    _configure_logs(service, settings.log_level)
    endpoint = settings.otel_exporter_otlp_endpoint
    _configure_traces(service, OTLPSpanExporter(endpoint.rstrip("/") + TRACES_PATH) if endpoint else None)


def _configure_logs(service: str, level: str) -> None:
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _service_and_trace(service),
            exception_without_values,
            only_known_keys,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_to_stderr,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[LibraryLogs()], level=max(number, logging.WARNING), force=True)


def _to_stderr(*_names: Any) -> structlog.PrintLogger:
    return structlog.PrintLogger(sys.stderr)


def _configure_traces(service: str, exporter: SpanExporter | None) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": f"omniroute-{service}"}))
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    _Tracing.provider.shutdown()
    _Tracing.provider = provider


def shutdown() -> None:
    """Sends the spans that are still held."""
    _Tracing.provider.shutdown()


class LibraryLogs(logging.Handler):
    """What libraries log, as their message's template: its arguments may hold anything."""

    def emit(self, record: logging.LogRecord) -> None:
        template = str(record.msg).split("\n", 1)[0]
        log.log(record.levelno, template, logger=record.name, exc_info=record.exc_info)


def _service_and_trace(service: str) -> structlog.types.Processor:
    def add(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = event.get("service", service)
        trace_id = current_trace_id()
        if trace_id:
            event["trace_id"] = trace_id
        return event

    return add


def exception_without_values(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception becomes its type and where it was raised."""
    raised = event.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()
    failure = raised[1] if isinstance(raised, tuple) else raised
    if isinstance(failure, BaseException):
        event.update(error=type(failure).__name__, frames=frames_of(failure))
    if isinstance(event.get("error"), BaseException):
        event["error"] = type(event["error"]).__name__
    return event


def frames_of(failure: BaseException) -> list[str]:
    """`file:line function` of the innermost frames."""
    frames = traceback.extract_tb(failure.__traceback__)[-FRAMES_MAX:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


def only_known_keys(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The value of a key that isn't in LOG_KEYS is replaced by its type."""
    kept = {key: value if key in LOG_KEYS else f"<{type(value).__name__}>" for key, value in event.items()}
    kept["event"] = str(kept.get("event", ""))[:EVENT_CHARACTERS_MAX]
    return kept


@contextmanager
def span(
    name: str,
    *,
    traceparent: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, str | int | float | bool] | None = None,
) -> Iterator[Span]:
    """A span of this process; its parent is `traceparent`, or else the span it is opened in."""
    parent = _context.extract({"traceparent": traceparent}) if traceparent else None
    tracer = _Tracing.provider.get_tracer("omniroute")
    with tracer.start_as_current_span(
        name, context=parent, kind=kind, attributes=attributes, record_exception=False
    ) as opened:
        yield opened


def current_traceparent() -> str | None:
    """The W3C traceparent to hand on; None outside any span."""
    carrier: dict[str, str] = {}
    _context.inject(carrier)
    return carrier.get("traceparent")


def current_trace_id() -> str | None:
    """32 hex digits; None outside any span."""
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else None
