"""What integrators have in their hands stays true: a recorded sample of every public event, and today's code.

A sample is never changed. A new type gets one (`python -m tests.contract.events.recorded`); a field that disappears,
is renamed, changes its type or begins to be required makes a sample fail: that is a new version of the topic.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from libs.common.events import PUBLIC_TOPICS
from libs.common.events.codec import EVENTS, LATER, Unreadable, decode, encode_headers, encode_value
from services.console.asyncapi import document
from tests.contract.events.recorded import SAMPLES, recorded

FILES = sorted(SAMPLES.glob("*.json"))
PUBLIC = {event.type for event in EVENTS.values() if event.topic in PUBLIC_TOPICS}
LATER_NAMES = {kind: {name for name, _ in fields} for kind, fields in LATER.items()}
DOCUMENT = document("1")
Sample = dict[str, Any]
each_sample = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def sample_of(file: Path) -> Sample:
    sample: Sample = json.loads(file.read_text())
    return sample


def encoded_again(sample: Sample) -> Sample:
    """What today's code writes of what it reads in the sample."""
    envelope = decode(sample["key"], json.dumps(sample["value"]).encode(), sample["headers"])
    value = encode_value(envelope.event, sequence=envelope.sequence, cause=envelope.cause)
    again: Sample = json.loads(value)
    return again


def closed(schema: Any) -> Any:
    """The same schema, in which a field that it doesn't name is an error. Maps (`terms`, `attributes`) stay open."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(item) for name, item in schema.items()}
    return inner | {"additionalProperties": False} if isinstance(inner.get("properties"), dict) else inner


def check(sample: Sample, described: Sample) -> None:
    """Raises jsonschema.ValidationError when the document doesn't describe the sample, every field of it."""
    name = described["components"]["messages"][sample["headers"]["ce_type"]]["payload"]["$ref"]
    schemas = closed(described["components"]["schemas"])
    jsonschema.validate(sample["value"], {"$ref": name, "components": {"schemas": schemas}})


def test_every_public_type_has_a_sample() -> None:
    assert {file.stem for file in FILES} == PUBLIC


@each_sample
def test_a_sample_is_read_and_written_again(file: Path) -> None:
    sample = sample_of(file)
    again = encoded_again(sample)
    assert {name: again.get(name) for name in sample["value"]} == sample["value"]


@pytest.mark.parametrize(
    "kind", ["contact.queued", "offer.accepted", "agent.presence_changed", "agent.updated", "queue.updated"]
)
def test_what_was_added_later_is_left_out_while_it_says_nothing(kind: str) -> None:
    """So a log from before replays to the same bytes."""
    sample = sample_of(SAMPLES / f"{kind}.json")
    assert not LATER_NAMES[kind] & encoded_again(sample).keys()


@each_sample
def test_a_field_that_a_sample_lacks_has_a_default(file: Path) -> None:
    """Old records are read for ever: whatever was added since may be absent."""
    sample = sample_of(file)
    kind = EVENTS[sample["headers"]["ce_type"]]
    needed = {field.encode_name for field in msgspec.structs.fields(kind) if field.required}
    assert needed - {"key"} <= sample["value"].keys()


@each_sample
def test_a_sample_has_the_headers_that_its_value_leads_to(file: Path) -> None:
    sample = sample_of(file)
    envelope = decode(sample["key"], json.dumps(sample["value"]).encode(), sample["headers"])
    trace = sample["headers"].get("traceparent")
    expected = encode_headers(envelope.event, sequence=envelope.sequence, traceparent=trace)
    assert {name: sample["headers"].get(name) for name in expected} == expected


@each_sample
def test_a_sample_is_as_described(file: Path) -> None:
    check(sample_of(file), DOCUMENT)


def test_everything_that_the_day_writes_is_as_described() -> None:
    for record in recorded():
        check({"headers": record.headers, "value": json.loads(record.value or b"")}, DOCUMENT)


# -- the checks themselves ---------------------------------------------------------------------------------------


def changed(change: Callable[[Sample], Any]) -> Sample:
    """The document with `contact.offered` described otherwise."""
    described: Sample = json.loads(json.dumps(DOCUMENT))
    change(described["components"]["schemas"]["ContactOffered"])
    return described


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda schema: schema["properties"].pop("expires_at"), id="a field is gone"),
        pytest.param(lambda schema: schema["properties"].update(units={"type": "string"}), id="another type"),
        pytest.param(lambda schema: schema["required"].append("skill"), id="a new field is required"),
        pytest.param(lambda schema: schema["properties"]["lane"].update(enum=["express"]), id="a word is gone"),
    ],
)
def test_an_incompatible_change_is_found(change: Callable[[Sample], Any]) -> None:
    offered = sample_of(SAMPLES / "contact.offered.json")
    check(offered, DOCUMENT)
    with pytest.raises(jsonschema.ValidationError):
        check(offered, changed(change))


def test_a_record_without_what_is_needed_is_no_event() -> None:
    offered = sample_of(SAMPLES / "contact.offered.json")
    del offered["value"]["expires_at"]
    with pytest.raises(Unreadable):
        encoded_again(offered)
