"""What every event on the log has in common.

An event is a fact in the past tense, frozen, with a version. Its record's key is `<workspace>/<pool>`, or
`<workspace>/*` for what concerns a whole workspace and is copied to every partition. Times are integer
microseconds since 1970 UTC (`Instant`); the codec writes them as RFC 3339 in UTC on the wire.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, NewType

import msgspec

Instant = Annotated[int, msgspec.Meta(extra_json_schema={"type": "string", "format": "date-time"})]
"""Microseconds since 1970-01-01 UTC. Only top-level fields of an event may be instants."""

Topic = NewType("Topic", str)

CONTACTS = Topic("omniroute.contacts.v1")
COMMANDS = Topic("omniroute.commands.v1")
ROUTING = Topic("omniroute.routing.v1")
ESCALATIONS = Topic("omniroute.escalations.v1")
OUTCOMES = Topic("omniroute.outcomes.v1")
DEAD_LETTERS = Topic("omniroute.dead-letters.v1")
ROUTER_STATE = Topic("omniroute.router.state")
ROUTER_JOURNAL = Topic("omniroute.router.journal")
SLA_STATE = Topic("omniroute.sla.state")
SLA_JOURNAL = Topic("omniroute.sla.journal")

PUBLIC_TOPICS = (CONTACTS, ROUTING, ESCALATIONS)
COMPACTED_TOPICS = frozenset({ROUTER_STATE, SLA_STATE})
TOPICS = (*PUBLIC_TOPICS, COMMANDS, OUTCOMES, DEAD_LETTERS, ROUTER_STATE, ROUTER_JOURNAL, SLA_STATE, SLA_JOURNAL)

SECOND = 1_000_000
"""Microseconds in a second."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact. `key` is the record's key (not in its value); `at` is when it became a fact."""

    type: ClassVar[str]
    """The CloudEvents type, `contact.queued`."""
    topic: ClassVar[Topic | None] = None
    """Where it is published; None for what stays inside the machine (see `Internal`)."""
    version: ClassVar[int] = 1
    subject_field: ClassVar[str] = "contact_id"
    """The field whose value `sequence` counts for: the contact's id, the agent's, the queue's …"""
    later: ClassVar[tuple[str, ...]] = ()
    """Fields that came later: left out at their default, so that old logs replay to the same bytes."""
    flat: ClassVar[str | None] = None
    """A field that isn't on the wire as one: the fields of its value stand there instead, beside the event's own."""

    key: str
    at: Instant

    @property
    def workspace(self) -> str:
        return self.key.split("/", 1)[0]

    @property
    def pool(self) -> str:
        """The pool's id; `*` for a workspace-wide event."""
        return self.key.split("/", 1)[1]

    @property
    def subject(self) -> str:
        subject: str = getattr(self, self.subject_field)
        return subject


class Internal(Event, frozen=True, kw_only=True):
    """Evolves the state and is never published: a renewed lease, a timer that fell due, a credit spent."""

    subject_field: ClassVar[str] = "key"


class Settle(Internal, frozen=True, kw_only=True):
    """Asked after every event until nothing follows: is there an offer to make now? Its `key` is empty."""

    type: ClassVar[str] = "settle"


def pool_key(workspace: str, pool: str) -> str:
    """The key of every record of a pool."""
    return f"{workspace}/{pool}"


def workspace_key(workspace: str) -> str:
    """The key of a record that is copied to every partition of the log."""
    return f"{workspace}/*"
