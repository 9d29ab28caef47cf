"""The one answer to a command, with the subject's present state."""

from __future__ import annotations

from typing import Any

from libs.common.events import Event
from libs.common.events.commands import Command, CommandDecided
from services.router.core.floor import Floor
from services.router.core.state import Agent, Contact, Offer, base_and_generation, offer_id

Events = tuple[Event, ...]


def done(command: Command, now: int, state: dict[str, Any] | None = None) -> CommandDecided:
    return CommandDecided(key=command.key, at=now, command_id=command.command_id, status=200, state=state or {})


def refused(command: Command, now: int, status: int, code: str, state: dict[str, Any] | None = None) -> Events:
    """Nothing happens, and the caller learns why: 403 forbidden, 404 unknown, 409 conflict, 422 invalid."""
    return (
        CommandDecided(
            key=command.key, at=now, command_id=command.command_id, status=status, code=code, state=state or {}
        ),
    )


def contact_state(
    contact: Contact, state: str | None = None, agent: str | None = None, offers: tuple[Offer, ...] | None = None
) -> dict[str, Any]:
    """`state`, `agent` and live `offers` where the command is about to change them."""
    live = contact.offers if offers is None else offers
    shown: dict[str, Any] = {
        "contact_id": contact.id,
        "state": state or contact.state,
        "queue": contact.rules.queue,
        "agent": agent or contact.agent_id,
    }
    if shown["state"] == "waiting":
        shown["agent"] = None  # Whoever had it has it no longer.
    if shown["state"] == "offered":
        shown["offer_id"] = offer_id(contact, live[0].number)
        shown["agent"] = live[0].agent_id
    if shown["state"] == "offered" and len(live) > 1:
        shown["offers"] = [{"offer_id": offer_id(contact, one.number), "agent": one.agent_id} for one in live]
    return shown


def state_of(floor: Floor, contact_id: str) -> dict[str, Any] | None:
    """The state of an open contact or of one that was closed within a day; None for any other."""
    contact = floor.contacts.get(contact_id)
    if contact is not None:
        return contact_state(contact)
    base, generation = base_and_generation(contact_id)
    closed = floor.closed.get(base)
    if closed is None or generation > closed.generation:
        return None
    return {
        "contact_id": contact_id,
        "state": closed.state if closed.last == contact_id else "closed",
        "queue": closed.queue,
        "agent": closed.agent_id if closed.last == contact_id else None,
    }


def agent_state(agent: Agent, **now_too: Any) -> dict[str, Any]:
    return {"agent_id": agent.id, "status": agent.status, "reason": agent.reason, **now_too}
