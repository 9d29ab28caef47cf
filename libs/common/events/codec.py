"""Events as records: CloudEvents 1.0 in Kafka's binary binding, JSON values, instants as RFC 3339 in UTC.

An old record stays readable: an upcaster per step turns the fields of version n into those of n + 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, overload

import msgspec

from libs.common.events.base import Event
from libs.common.events.commands import COMMAND_EVENTS
from libs.common.events.contacts import CONTACT_EVENTS
from libs.common.events.escalations import ESCALATION_EVENTS
from libs.common.events.routing_types import ROUTING_EVENTS

EVENTS: Final[dict[str, type[Event]]] = {
    event.type: event
    for event in (*CONTACT_EVENTS, *COMMAND_EVENTS, *ROUTING_EVENTS, *ESCALATION_EVENTS)
}
UPCASTERS: Final[dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]]] = {}
"""(type, version) → what turns the fields of that version into those of the next."""


def _default_of(field: msgspec.structs.FieldInfo) -> Any:
    return field.default_factory() if callable(field.default_factory) else field.default


def fields_of(kind: type[Event]) -> Iterator[msgspec.structs.FieldInfo]:
    """Of a type of event, as they stand on the wire: those of its `flat` field in that one's place."""
    for field in msgspec.structs.fields(kind):
        if field.name == kind.flat:
            yield from msgspec.structs.fields(field.type)
        else:
            yield field


LATER: Final[dict[str, tuple[tuple[str, Any], ...]]] = {
    name: tuple((field.name, _default_of(field)) for field in fields_of(kind) if field.name in kind.later)
    for name, kind in EVENTS.items()
}
"""Type → (field, default) of what is left out while it says nothing."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SPEC_VERSION: Final = "1.0"
_JSON = msgspec.json.Encoder()
_DICT = msgspec.json.Decoder(dict[str, Any])
_FIELDS = re.compile(r"^Object missing required field `\w+`$|`\$[\w.\[\]]*`$")
"""The parts of msgspec's messages that name fields."""


class Unreadable(Exception):
    """The record can't be understood, now or later: it belongs among the dead letters."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """An event with what its record says of it. `id` is unique; `cause` is the id of the event it follows from."""

    event: Event
    id: str
    sequence: int
    cause: str


@lru_cache(maxsize=1_024)  # a batch's decisions share their time
def rfc3339(instant: int) -> str:
    """`1795000000123456` → `2026-11-18T11:06:40.123456Z`."""
    return moment(instant).isoformat(timespec="microseconds")[:-6] + "Z"


def instant(text: str) -> int:
    """RFC 3339 with a zone → microseconds since 1970 UTC. Raises ValueError, also when there is no zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time needs a zone")
    return instant_of(time)


@overload
def instant_of(time: datetime) -> int: ...
@overload
def instant_of(time: datetime | None) -> int | None: ...
def instant_of(time: datetime | None) -> int | None:
    """Microseconds since 1970 UTC of a time with a zone; None of none."""
    return None if time is None else (time - EPOCH) // timedelta(microseconds=1)


@overload
def moment(instant: int) -> datetime: ...
@overload
def moment(instant: int | None) -> datetime | None: ...
def moment(instant: int | None) -> datetime | None:
    """The time in UTC; None of none."""
    return None if instant is None else EPOCH + timedelta(microseconds=instant)


def _instants_of(event: type[Event]) -> tuple[str, ...]:
    shape = msgspec.inspect.type_info(event)
    assert isinstance(shape, msgspec.inspect.StructType)
    return tuple(field.name for field in shape.fields if _is_instant(field.type))


def _is_instant(kind: msgspec.inspect.Type) -> bool:
    match kind:
        case msgspec.inspect.Metadata(extra_json_schema={"format": "date-time"}):
            return True
        case msgspec.inspect.UnionType(types=types):
            return any(_is_instant(one) for one in types)
        case _:
            return False


INSTANTS: Final[dict[str, tuple[str, ...]]] = {name: _instants_of(event) for name, event in EVENTS.items()}


def event_id(event: Event, sequence: int) -> str:
    """Derived, never drawn: `con_x.routing.7`, `agent.ann.routing.2`; unique with the source.

    A contact's id is nobody else's; an agent and a queue may be called alike, so theirs say what they are. What has one
    counter has one name: `pool.updated` and `policy.updated` are both events of their pool.
    """
    topic = event.topic.split(".")[1] if event.topic is not None else "internal"
    kind = "" if event.subject_field == "contact_id" else event.subject_field.removesuffix("_id") + "."
    return f"{kind}{event.subject}.{topic}.{sequence}"


def encode_value(event: Event, *, sequence: int, cause: str) -> bytes:
    """The record's value: the event's own fields, `sequence`, `cause`, `at` and `schema`."""
    fields = _said(event)
    del fields["key"]
    for name, default in LATER[event.type]:
        if fields[name] == default:
            del fields[name]
    for name in INSTANTS[event.type]:
        if fields.get(name) is not None:
            fields[name] = rfc3339(fields[name])
    return _JSON.encode({**fields, "sequence": sequence, "cause": cause, "schema": event.version})


def _said(event: Event) -> dict[str, Any]:
    """Its fields as they stand on the wire."""
    fields: dict[str, Any] = msgspec.structs.asdict(event)
    if event.flat is None:
        return fields
    inner = msgspec.structs.asdict(fields[event.flat])
    places = ((inner if name == event.flat else {name: value}) for name, value in fields.items())
    return {name: value for place in places for name, value in place.items()}


def encode_headers(event: Event, *, sequence: int, traceparent: str | None = None) -> dict[str, str]:
    """The CloudEvents attributes of a record, as Kafka's binary binding names them."""
    headers = {
        "ce_specversion": SPEC_VERSION,
        "ce_id": event_id(event, sequence),
        "ce_type": event.type,
        "ce_source": f"/omniroute/{event.key}",
        "ce_subject": event.subject,
        "ce_time": rfc3339(event.at),
        "ce_dataschema": f"urn:omniroute:{event.type}:{event.version}",
        "content-type": "application/json",
    }
    if traceparent:
        headers["traceparent"] = traceparent
    return headers


def decode(key: str, value: bytes | None, headers: Mapping[str, str]) -> Envelope:
    """A record → its event. Raises Unreadable for anything that isn't one of ours at a version we know."""
    try:
        kind = EVENTS[headers["ce_type"]]
        fields = _upcast(kind, _DICT.decode(value or b""))
        for name in INSTANTS[kind.type]:
            if fields.get(name) is not None:
                fields[name] = instant(fields[name])
        inner = {} if kind.flat is None else {kind.flat: fields}  # It takes what it knows, the event the rest.
        event = msgspec.convert({**fields, **inner, "key": key}, kind)
        return Envelope(event=event, id=headers["ce_id"], sequence=fields["sequence"], cause=fields["cause"])
    except (KeyError, ValueError, TypeError, msgspec.MsgspecError) as error:
        raise Unreadable(_why(error)) from error


def _why(error: Exception) -> str:
    """The kind of failure and the field: messages quote values, and nobody knows what is in a record like that."""
    fields = _FIELDS.findall(str(error)) if isinstance(error, msgspec.ValidationError) else []
    return " ".join([type(error).__name__, *fields])


def _upcast(kind: type[Event], fields: dict[str, Any]) -> dict[str, Any]:
    for version in range(int(fields.get("schema", 1)), kind.version):
        fields = UPCASTERS[kind.type, version](fields)
    return fields
