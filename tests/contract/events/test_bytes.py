"""A queue's rules stand in a command, in a decision and in the state: each is read and written as in every old log."""

from __future__ import annotations

import json

import msgspec
import pytest

from libs.common.events.codec import decode, encode_value
from libs.common.events.values import Match, Medium
from services.router.core.state import Queue

FIRST = (
    '"order":10,"match":{"visibility":"public"},"requirement":{"all":[{"skill":"public","level":4}]},'
    '"relax":[{"after_seconds":60,"requirement":{},"skip":"never"}],"offer_seconds":120,'
)
ADDED = '"offer_seconds_by_medium":{"live":15},"parallel_offers":2,"auto_accept":["voice"],'
MIDDLE = '"offers_max":2,"wrap_up_seconds":30,"last_agent_seconds":60,'
ADMISSION = (
    '"when":{"field":"reach","op":"gte","value":1000},"hours":{"hours":"24/7","open":[[1,2]]},"closed":"overflow",'
    '"overflow":{"queue":"all"},"max_length":50,'
)
LAST = '"language_skill":true,"language_level":3,"fallback_queue":"rest","group_by_incident":true,"group_max":5'
EVERYTHING = FIRST + ADDED + MIDDLE + ADMISSION + LAST
PLAIN = '"order":100,"match":{},"requirement":null,"relax":[],"offer_seconds":20,'
PLAIN_MIDDLE = '"offers_max":5,"wrap_up_seconds":0,"last_agent_seconds":45'
NOTHING_ADDED = (
    '"offer_seconds_by_medium":{},"parallel_offers":1,"auto_accept":[],' + PLAIN_MIDDLE + ',"when":null,"hours":null,'
    '"closed":"wait","overflow":null,"max_length":null,"language_skill":false,"language_level":1,'
    '"fallback_queue":null,"group_by_incident":false,"group_max":20'
)
PUT = '{"at":"2026-11-18T11:06:40.000000Z","command_id":"cmd_1","actor":"key_1","queue_id":"care",'
UPDATED = '{"at":"2026-11-18T11:06:40.000000Z","queue_id":"care","config_version":2,"deleted":false,'
DELETED = '{"at":"2026-11-18T11:06:40.000000Z","queue_id":"care","config_version":3,"deleted":true,'
END = ',"sequence":1,"cause":"c","schema":1}'


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param("queue.put", PUT + EVERYTHING + END, id="asked for with every field"),
        pytest.param("queue.put", PUT + PLAIN + NOTHING_ADDED + END, id="asked for with no field"),
        pytest.param("queue.updated", UPDATED + EVERYTHING + END, id="decided with every field"),
        pytest.param("queue.updated", UPDATED + PLAIN + PLAIN_MIDDLE + END, id="decided before the others were added"),
        pytest.param("queue.updated", DELETED + PLAIN + PLAIN_MIDDLE + ',"successor":"all"' + END, id="deleted"),
    ],
)
def test_a_queues_records_keep_their_bytes(kind: str, value: str) -> None:
    event = decode("acme/main", value.encode(), {"ce_type": kind, "ce_id": "1"}).event
    assert encode_value(event, sequence=1, cause="c").decode() == value


def test_a_queue_is_restored_from_what_was_stored() -> None:
    own = '"id":"care","sequence":4,"version":2,"deleted":false,'
    drain = '"drain_to":"all","drain_after":"con_1","drain_at":7,"successor":"all",'
    stored = "{" + own + FIRST + MIDDLE + drain + ADDED + ADMISSION + LAST + "}"
    queue = msgspec.json.decode(stored, type=Queue)
    assert json.loads(msgspec.json.encode(queue)) == json.loads(stored)


def test_a_queue_of_an_old_snapshot_has_what_was_added_since_at_its_default() -> None:
    own = '"id":"care","sequence":4,"version":2,"deleted":false,'
    queue = msgspec.json.decode("{" + own + PLAIN + PLAIN_MIDDLE + "}", type=Queue)
    by_medium: dict[Medium, int] = {}
    assert queue == Queue(id="care", sequence=4, version=2, match=Match(), offer_seconds_by_medium=by_medium)
