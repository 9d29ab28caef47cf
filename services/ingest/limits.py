"""Every bound of ingest, with its unit."""

from __future__ import annotations

from typing import Final

TEXT_CHARACTERS_MAX: Final = 65_536
ADDRESS_CHARACTERS_MAX: Final = 320
NAME_CHARACTERS_MAX: Final = 200
SOURCE_ID_CHARACTERS_MAX: Final = 256
IDENTITIES_MAX: Final = 10
"""Of one message."""
IDENTITIES_OF_CUSTOMER_MAX: Final = 100
TOPICS_MAX: Final = 20
ATTRIBUTE_CHARACTERS_MAX: Final = 1_000
ROUTABLE_MAX: Final = 20
SKILLS_MAX: Final = 20
AGENTS_MAX: Final = 20
SIGNAL_MAX: Final = 10**12
"""People or reactions: more is a mistake."""
SECRETS_MAX: Final = 10
SECRET_CHARACTERS_MAX: Final = 4_096
BATCH_CONTACTS_MAX: Final = 1_000
BATCH_AT_ONCE_MAX: Final = 4
"""Contacts of one batch that are stored at the same time."""
HAPPENINGS_MAX: Final = 1_000
"""Of one provider's call."""
BATCH_BYTES_MAX: Final = 16 * 1_048_576
CONTACTS_SHOWN_MAX: Final = 100
"""Of a customer, the newest."""
WAIT_SECONDS_MAX: Final = 10
WAIT_POLL_SECONDS: Final = 0.05

RACES_MAX: Final = 5
"""How often a transaction that lost a race is tried again."""
RELAY_RECORDS_MAX: Final = 500
"""Of one append."""
RELAY_GATHER_SECONDS: Final = 0.005
"""After a first record, for more to come with it."""
RELAY_POLL_SECONDS: Final = 0.2
"""For what another process put into the outbox."""
RELAY_RETRY_SECONDS: Final = 0.5
"""Until the log is tried again after it failed."""
LEADER_RETRY_SECONDS: Final = 2.0
HISTORY_RECORDS_MAX: Final = 500
HISTORY_WAIT_SECONDS: Final = 1.0
CALLBACKS_A_LOOK: Final = 100
CALLBACK_POLL_SECONDS: Final = 0.5
"""Until calls that are due are looked for again."""
LANGUAGE_CHARACTERS_MAX: Final = 500
"""Of a message, from which its language is told."""
