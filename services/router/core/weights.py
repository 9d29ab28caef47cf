"""New weights of a pool reach everybody who waits, by id, a bounded number a commit.

Whoever comes meanwhile is scored by the new weights already; what is parked or with an agent takes them when it is
queued again. A contact's `policy_version` says at every moment which weights its boost follows. Published is only a
boost that has changed: for an integrator nothing has happened to the others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from typing import Final

from libs.common.events.routing import ContactPriorityChanged
from services.router.core.facts import WeightsApplied
from services.router.core.floor import Floor
from services.router.core.limits import REWEIGHED_A_COMMIT
from services.router.core.outcomes import Events
from services.router.core.policy import boost_of, named, signals_of
from services.router.core.state import Contact

POLICY_CHANGED: Final = "policy_changed"


def reweighed(floor: Floor, now: int) -> Events:
    """The next of those who wait by other weights."""
    after, version = floor.pool.reweigh_after, floor.policy.version
    if after is None:
        return ()
    behind = list(islice(_behind(floor, after), REWEIGHED_A_COMMIT))
    changes = [(contact, _change(floor, contact, now)) for contact in behind]
    applied = WeightsApplied(
        key=floor.key, at=now, policy_version=version,
        after=behind[-1].id if len(behind) == REWEIGHED_A_COMMIT else None,
        unmoved=tuple(contact.id for contact, change in changes if change is None),
    )  # fmt: skip
    return (*(change for _, change in changes if change is not None), applied)


def _behind(floor: Floor, after: str) -> Iterator[Contact]:
    for contact_id in floor.to_reweigh[bisect_right(floor.to_reweigh, after) :]:
        contact = floor.contacts.get(contact_id)
        if contact is not None and floor.is_behind(contact):
            yield contact


def _change(floor: Floor, contact: Contact, now: int) -> ContactPriorityChanged | None:
    boost = boost_of(floor.policy.weights, signals_of(contact), contact.raised)
    if boost == (contact.boost, contact.terms):
        return None
    return ContactPriorityChanged(
        key=floor.key, at=now, contact_id=contact.id, boost=boost.whole, terms=named(boost.terms),
        reach=contact.reach, reason=POLICY_CHANGED, policy_version=floor.policy.version,
    )  # fmt: skip
