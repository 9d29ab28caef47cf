"""The AsyncAPI document says what is on the log."""

from __future__ import annotations

import json

import jsonschema
import msgspec
import pytest

from libs.common.events import PUBLIC_TOPICS, Event
from libs.common.events.codec import EVENTS, encode_value
from libs.common.events.contacts import ContactOpened
from libs.common.events.escalations import TargetWarned
from libs.common.events.values import Reach
from services.console.asyncapi import document

OPENED = ContactOpened(
    key="w/p", at=1, contact_id="con_1", message_id="msg_1", account="a", channel="x", medium="async",
    visibility="public", customer_id="cus_1", occurred_at=1, reach=Reach(followers=5), attributes={"order": "A"},
)  # fmt: skip
WARNED = TargetWarned(
    key="w/p", at=1, contact_id="con_1", target="t", metric="first_response", share=0.8, due_at=2
)


def schema_of(event: Event) -> dict:
    described = document("1")
    return {"$ref": f"#/components/schemas/{type(event).__name__}", "components": described["components"]}


@pytest.mark.parametrize("event", [OPENED, WARNED], ids=lambda event: event.type)
def test_a_record_is_as_described(event: Event) -> None:
    jsonschema.validate(json.loads(encode_value(event, sequence=1, cause="")), schema_of(event))


def test_a_record_that_is_not_as_described_is_told_apart() -> None:
    value = json.loads(encode_value(OPENED, sequence=1, cause="")) | {"visibility": "secret"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, schema_of(OPENED))


def test_every_public_event_is_a_message_of_its_topic() -> None:
    described = document("1")["channels"]
    told = {(topic, name) for topic, channel in described.items() for name in channel["messages"]}
    assert told == {(event.topic, event.type) for event in EVENTS.values() if event.topic in PUBLIC_TOPICS}


def test_the_document_is_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(document("1")))["asyncapi"] == "3.0.0"
