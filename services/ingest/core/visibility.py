"""How many people can see a contact: signals only ever grow while it is open."""

from __future__ import annotations

from typing import Final

from libs.common.events.values import Reach

NO_REACH: Final = Reach()


def widest(known: Reach, seen: Reach) -> Reach:
    """Signal by signal the larger: everyone who could see one message of a contact can see the contact."""
    return Reach(
        followers=max(known.followers, seen.followers),
        views=max(known.views, seen.views),
        reactions=max(known.reactions, seen.reactions),
        shares=max(known.shares, seen.shares),
    )
