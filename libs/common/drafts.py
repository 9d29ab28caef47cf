"""A command as the record that is appended."""

from __future__ import annotations

from libs.common import telemetry
from libs.common.events.codec import encode_headers, encode_value
from libs.common.events.commands import Command
from libs.common.log.port import Draft


def command_draft(command: Command) -> Draft:
    """The command's record, with the trace that it is part of."""
    assert command.topic is not None
    headers = encode_headers(command, sequence=1, traceparent=telemetry.current_traceparent())
    value = encode_value(command, sequence=1, cause=command.actor)
    return Draft(topic=command.topic, key=command.key, value=value, headers=headers)
