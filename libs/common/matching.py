"""What callers say of the contacts that a rule is for: the body of `events.values.Match`."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from libs.common.events import values
from libs.common.http import Id, StrictModel

VALUES_MAX: Final = 50

OneOrMore = Id | Annotated[list[Id], Field(min_length=1, max_length=VALUES_MAX)] | None
"""Matches go on the log: words like ids, no free text."""


class MatchBody(StrictModel):
    """Which contacts: every field that is set must hold; a list means any of."""

    channel: OneOrMore = None
    medium: values.Medium | Annotated[list[values.Medium], Field(min_length=1)] | None = None
    visibility: values.Visibility | Annotated[list[values.Visibility], Field(min_length=1)] | None = None
    account: OneOrMore = None
    tier: values.Tier | Annotated[list[values.Tier], Field(min_length=1)] | None = None
    language: OneOrMore = None
    topic: OneOrMore = None

    def value(self) -> values.Match:
        given = self.model_dump(exclude_none=True)
        return values.Match(**{name: tuple(one) if isinstance(one, list) else one for name, one in given.items()})
