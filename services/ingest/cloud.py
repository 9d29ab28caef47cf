"""CloudEvents 1.0 over HTTP: structured, binary and batched. `contact.message.received` is the type that we take.

A batch with anything wrong in it is refused before anything of it is stored: what is wrong is named by its place. The
rest is stored one by one, so a failure on the way leaves the first of them stored: a batch that is sent again is
answered for those as seen before.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.v1.event import CloudEvent
from pydantic import TypeAdapter, ValidationError

from libs.common import strict_json
from libs.common.errors import FieldError, Invalid, UnsupportedMedia
from libs.common.schema import Time
from services.ingest.core.normalize import Received
from services.ingest.limits import BATCH_CONTACTS_MAX
from services.ingest.shape import ContactBody, parsed

RECEIVED: Final = "contact.message.received"
STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
PREFIX: Final = "ce-"
NAMES: Final = frozenset("id source type specversion time subject datacontenttype dataschema".split())
"""What an error may repeat: the name of an extension is the caller's own."""
ATTRIBUTES_MAX: Final = 50
"""Of one event; extensions are let pass and mean nothing."""

TIME: Final = TypeAdapter(Time)

Arrived = tuple[ContactBody, Received]


def read(
    content_type: str, headers: Iterable[tuple[str, str]], raw: bytes, account: str | None = None
) -> list[Arrived]:
    """The messages that a request's events tell of. Raises Malformed, Invalid, UnsupportedMedia.

    With `account` they may leave theirs out, and may name no other.
    """
    match content_type.partition(";")[0].strip().lower():
        case kind if kind == BATCHED:
            return _batch(strict_json.loads(raw), account)
        case kind if kind == STRUCTURED:
            return [_structured(strict_json.loads(raw), "", account)]
        case kind if _is_json(kind):
            return [_binary(headers, raw, account)]
        case _:
            raise UnsupportedMedia("a CloudEvent comes as JSON: structured, batched, or binary with JSON data")


def _batch(document: Any, account: str | None) -> list[Arrived]:
    if not isinstance(document, list):
        raise Invalid("a batch is an array")
    if len(document) > BATCH_CONTACTS_MAX:
        raise Invalid(f"a batch has at most {BATCH_CONTACTS_MAX} events")
    return [_structured(event, f"/{place}", account) for place, event in enumerate(document)]


def _structured(document: Any, at: str, account: str | None) -> Arrived:
    if not isinstance(document, dict):
        raise _wrong(at, "is no event")
    attributes = {name: value for name, value in document.items() if name not in ("data", "data_base64")}
    if "data" in document and "data_base64" in document:
        raise _wrong(f"{at}/data", "data and data_base64 exclude each other")
    data = _base64(document["data_base64"], at) if "data_base64" in document else document.get("data")
    return _arrived(_checked(attributes, at), data, f"{at}/data", account)


def _binary(headers: Iterable[tuple[str, str]], raw: bytes, account: str | None) -> Arrived:
    attributes: dict[str, Any] = {}
    for name, value in headers:
        if name.startswith(PREFIX):
            if name.removeprefix(PREFIX) in attributes:
                raise _wrong("", "a header appears twice")
            attributes[name.removeprefix(PREFIX)] = unquote(value)
    return _arrived(_checked(attributes, ""), strict_json.loads(raw), "", account)


def _arrived(moment: datetime | None, data: Any, at: str, account: str | None) -> Arrived:
    if account is not None and isinstance(data, dict):
        data = {"account": account, **data}
    body = parsed(data, at)
    if account not in (None, body.account):
        raise _wrong(f"{at}/account", "is another account")
    return body, body.received(moment)


def _checked(attributes: Mapping[str, Any], at: str) -> datetime | None:
    """The event's own time. Raises Invalid unless this is a CloudEvent 1.0 of our type with JSON data."""
    if attributes.get("specversion") != "1.0":
        raise _wrong(f"{at}/specversion", "must be 1.0")
    if len(attributes) > ATTRIBUTES_MAX:
        raise _wrong(at, f"has more than {ATTRIBUTES_MAX} attributes")
    if "id" not in attributes:  # The library would draw one, and a redelivery would look new.
        raise _wrong(f"{at}/id", "is missing")
    moment = _time(attributes.get("time"), at)
    try:
        CloudEvent({**attributes, **({} if moment is None else {"time": moment})}, None)
    except BaseCloudEventException as failure:
        names = sorted(getattr(failure, "errors", ()))
        errors = [FieldError(f"{at}/{name if name in NAMES else '*'}", "is missing or wrong") for name in names]
        raise Invalid("no CloudEvent 1.0", errors=errors) from None
    if attributes["type"] != RECEIVED:
        raise _wrong(f"{at}/type", f"must be {RECEIVED}")
    if not _is_json(str(attributes.get("datacontenttype", "application/json")).partition(";")[0].strip().lower()):
        raise _wrong(f"{at}/datacontenttype", "must be JSON")
    return moment


def _time(value: Any, at: str) -> datetime | None:
    if value is None:
        return None
    try:
        return TIME.validate_python(value)
    except ValidationError:
        raise _wrong(f"{at}/time", "must be RFC 3339 with a zone") from None


def _base64(value: Any, at: str) -> Any:
    try:
        return strict_json.loads(base64.b64decode(value, validate=True))
    except (binascii.Error, TypeError, ValueError):
        raise _wrong(f"{at}/data_base64", "is no base64") from None


def _is_json(media_type: str) -> bool:
    return media_type in ("application/json", "text/json") or (
        media_type.startswith("application/") and media_type.endswith("+json") and media_type != BATCHED
    )


def _wrong(pointer: str, detail: str) -> Invalid:
    return Invalid("no CloudEvent of ours", errors=[FieldError(pointer, detail)])


REQUEST: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            STRUCTURED: {"schema": {"type": "object", "required": ["specversion", "type", "source", "id"]}},
            BATCHED: {"schema": {"type": "array", "items": {"type": "object"}}},
            "application/json": {"schema": {"type": "object", "description": "binary: the data, attributes in ce-*"}},
        },
    }
}
"""How OpenAPI describes the request."""
