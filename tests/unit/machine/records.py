"""Records for machines in tests."""

from __future__ import annotations

import msgspec

from libs.common.events import COMMANDS, CONTACTS, Event
from libs.common.events.codec import encode_headers, encode_value
from libs.common.events.commands import AcceptOffer, DeclineOffer
from libs.common.events.contacts import ContactOpened
from libs.common.log import Draft, Record

KEY = "default/main"


def record(event: Event, position: int, **headers: str) -> Record:
    assert event.topic is not None
    return Record(
        topic=event.topic,
        partition=0,
        position=position,
        key=event.key,
        value=encode_value(event, sequence=1, cause=""),
        headers=encode_headers(event, sequence=1) | headers,
    )


def opened(contact_id: str) -> ContactOpened:
    return ContactOpened(
        key=KEY,
        at=1,
        contact_id=contact_id,
        message_id="msg_1",
        account="a",
        channel="x",
        medium="async",
        visibility="public",
        customer_id="cus_1",
        occurred_at=1,
    )


def accept(command_id: str) -> AcceptOffer:
    return AcceptOffer(key=KEY, at=1, command_id=command_id, actor="agent:ann", offer_id="o")


def decline(command_id: str) -> DeclineOffer:
    return DeclineOffer(key=KEY, at=1, command_id=command_id, actor="agent:ann", offer_id="o")


def garbage(position: int, topic: str = CONTACTS) -> Record:
    return Record(topic=topic, partition=0, position=position, key=KEY, value=b"\xff{", headers={"ce_type": "?"})


def values(drafts: list[Draft], topic: str) -> list[dict[str, object]]:
    return [msgspec.json.decode(draft.value or b"null") for draft in drafts if draft.topic == topic]


__all__ = ["COMMANDS", "CONTACTS", "KEY", "accept", "decline", "garbage", "opened", "record", "values"]
