"""What others may ask ingest about a contact: see `libs.common.directory`."""

from __future__ import annotations

from libs.common.directory import ReceivedContact
from libs.common.postgres import Database
from services.ingest import records


class Directory:
    """The ContactDirectory of this installation."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def known(self, workspace: str, contact_id: str) -> bool:
        return await records.contact(self._pool, workspace, contact_id) is not None

    async def find(self, workspace: str, contact_id: str) -> ReceivedContact | None:
        one = await records.contact(self._pool, workspace, contact_id)
        if one is None:
            return None
        return ReceivedContact(
            contact_id=one.contact_id, account=one.account, channel=one.channel, medium=one.medium,
            visibility=one.visibility, customer_id=one.customer_id, opened_at=one.opened_at, tier=one.tier,
            repeat_of=one.repeat_of, linked_to=one.linked_to, reach=one.reach, language=one.language, topics=one.topics,
            sentiment=one.sentiment, attributes=one.attributes,
        )  # fmt: skip
