"""What is remembered so that the expected wait can be known."""

from __future__ import annotations

from services.router.core.floor import Floor
from services.router.core.partition import Partition
from services.router.core.state import Contact


def count_work(partition: Partition, floor: Floor, contact: Contact) -> None:
    """Its agent is free of it. An offer that ends was no work."""
    if contact.state not in ("assigned", "wrap_up") or not (floor.measures and contact.assigned_at):
        return
    floor.pace.count(contact.medium, partition.now - contact.assigned_at, partition.now)
    partition.mark("pace", floor, floor.pool.id, floor.pace)
