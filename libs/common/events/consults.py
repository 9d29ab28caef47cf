"""A consult on the log: who has a contact asks somebody else for help, on `omniroute.routing.v1`."""

from __future__ import annotations

from typing import ClassVar

from libs.common.events.routing import ContactDecision


class ContactConsulted(ContactDecision, frozen=True, kw_only=True):
    """Its agent asks somebody else for help, and keeps it. The consult's own `contact.queued` follows."""

    type: ClassVar[str] = "contact.consulted"
    agent_id: str
    """Who has it."""
    consult_id: str
    """The consult: `<contact>.consult.<this event's sequence>`."""
    to_queue: str | None = None
    to_agent: str | None = None
    """Who is asked; one of these is set."""


def consulted(contact_id: str) -> str | None:
    """`con_x.consult.7` → `con_x`; None for what is no consult."""
    origin, separator, number = contact_id.rpartition(".consult.")
    return origin if separator and number.isdecimal() else None
