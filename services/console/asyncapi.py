"""The AsyncAPI 3 document of the public topics, generated from the event models that the services write with."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from libs.common.events import CONTACTS, ESCALATIONS, PUBLIC_TOPICS, ROUTING, Event, Topic
from libs.common.events.codec import EVENTS, INSTANTS, SPEC_VERSION

ABOUT: Final = {
    CONTACTS: "Facts from outside: what customers and the company did, as ingest normalized it.",
    ROUTING: "The router's decisions, each with its reasons.",
    ESCALATIONS: "Clocks, warnings, breaches and escalation steps of the SLA service.",
}
REF: Final = "#/components/schemas/{name}"


def document(version: str) -> dict[str, Any]:
    """The whole document. Every public event is a message; what all records share stands once."""
    events = [event for event in EVENTS.values() if event.topic in PUBLIC_TOPICS]
    _, schemas = msgspec.json.schema_components(events, ref_template=REF)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "omniroute events",
            "version": version,
            "description": "CloudEvents 1.0 in Kafka's binary binding. Records of one pool are in one partition, in "
            "order; `sequence` counts a subject's events in a topic without gaps, `cause` is the id of the event "
            "that led to this one. Ignore fields you don't know: a breaking change is a new topic.",
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic, events) for topic in PUBLIC_TOPICS},
        "operations": {topic.split(".")[1]: _operation(topic) for topic in PUBLIC_TOPICS},
        "components": {
            "messages": {event.type: _message(event) for event in events},
            "messageTraits": {"cloudEvent": {"headers": _headers(), "bindings": {"kafka": _key()}}},
            "schemas": _wire_schemas(schemas, events),
        },
    }


def _channel(topic: Topic, events: list[type[Event]]) -> dict[str, Any]:
    messages = {event.type: {"$ref": f"#/components/messages/{event.type}"} for event in events if event.topic == topic}
    return {"address": topic, "description": ABOUT[topic], "messages": messages}


def _operation(topic: Topic) -> dict[str, Any]:
    return {"action": "send", "channel": {"$ref": f"#/channels/{topic}"}, "summary": ABOUT[topic]}


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.type,
        "title": event.type,
        "summary": (event.__doc__ or event.type).split("\n", 1)[0],
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"$ref": REF.format(name=event.__name__)},
    }


def _headers() -> dict[str, Any]:
    names = ("ce_id", "ce_source", "ce_subject", "ce_dataschema", "content-type", "traceparent")
    return {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time"],
        "properties": {
            "ce_specversion": {"type": "string", "const": SPEC_VERSION},
            "ce_type": {"type": "string"},
            "ce_time": {"type": "string", "format": "date-time"},
            **{name: {"type": "string"} for name in names},
        },
    }


def _key() -> dict[str, Any]:
    return {"key": {"type": "string", "description": "<workspace>/<pool>; <workspace>/* for what concerns every pool"}}


def _wire_schemas(schemas: dict[str, Any], events: list[type[Event]]) -> dict[str, Any]:
    """Every model as it stands in a record's value."""
    by_name = {event.__name__: event for event in events}
    inside = {_flat_model(event) for event in events}
    return {
        name: _wire(by_name[name], schema, schemas) if name in by_name else schema
        for name, schema in schemas.items()
        if name not in inside
    }


def _flat_model(event: type[Event]) -> str | None:
    """The model whose fields stand beside the event's own."""
    return next((field.type.__name__ for field in msgspec.structs.fields(event) if field.name == event.flat), None)


def _wire(event: type[Event], schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """An event's model as its record's value: the key is the record's, instants are RFC 3339."""
    inside = _flat_model(event)
    fields = {} if inside is None else {**schemas[inside]["properties"]}
    for field, shape in schema["properties"].items():
        if field not in ("key", event.flat):
            fields[field] = _field(event, field, shape)
    added = {"sequence": {"type": "integer"}, "cause": {"type": "string"}, "schema": {"const": event.version}}
    required = [*(field for field in schema.get("required", ()) if field != "key"), *added]
    return schema | {"properties": fields | added, "required": required}


def _field(event: type[Event], field: str, shape: dict[str, Any]) -> dict[str, Any]:
    if field not in INSTANTS[event.type]:
        return shape
    optional = "default" in shape
    return {"type": ["string", "null"] if optional else "string", "format": "date-time"}
