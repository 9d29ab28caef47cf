"""Which target binds a contact: the one matcher that the router and the SLA service share.

Pure and total. A match holds when each field that is set equals the contact's, or contains it when the field is a
list; an empty match holds for every contact. Of several matching targets of one metric the tightest binds: the
fewest seconds, and of equals the lower id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

from libs.common.events.values import Match, Medium, Metric, OneOrMore, Visibility


class Traits(Protocol):
    """What a match looks at. A `ContactQueued` has them all."""

    @property
    def channel(self) -> str: ...
    @property
    def medium(self) -> Medium: ...
    @property
    def visibility(self) -> Visibility: ...
    @property
    def account(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def tier(self) -> str: ...
    @property
    def language(self) -> str | None: ...
    @property
    def topics(self) -> tuple[str, ...]: ...


class Promise(Protocol):
    """What a target promises, and to whom; a `TargetUpdated` fits."""

    @property
    def target_id(self) -> str: ...
    @property
    def match(self) -> Match: ...
    @property
    def metric(self) -> Metric: ...
    @property
    def seconds(self) -> int: ...


P = TypeVar("P", bound=Promise)

MATCH_FIELDS: Final = ("channel", "medium", "visibility", "account", "queue", "tier", "language")
UNPROMISED_SECONDS: Final[dict[str, int]] = {"voice": 20, "live": 60, "public": 900, "private": 14_400}
"""What the order of routing assumes for a contact without a target; no clock runs for it."""


def matches(match: Match, traits: Traits) -> bool:
    """Whether every field that is set holds; `topic` holds when one of the contact's topics is meant."""
    for field in MATCH_FIELDS:
        wanted: OneOrMore = getattr(match, field)
        if wanted is not None and not _means(wanted, getattr(traits, field)):
            return False
    return match.topic is None or any(_means(match.topic, topic) for topic in traits.topics)


def _means(wanted: str | tuple[str, ...], value: str | None) -> bool:
    return value == wanted if isinstance(wanted, str) else value in wanted


def tightest(targets: Iterable[P], traits: Traits, metric: Metric) -> P | None:
    """The target of this metric that binds the contact; None when nothing is promised to it."""
    binding = (one for one in targets if one.metric == metric and matches(one.match, traits))
    return min(binding, key=lambda target: (target.seconds, target.target_id), default=None)


def unpromised_seconds(medium: Medium, visibility: Visibility) -> int:
    """The seconds that the score counts with when no target matches: by medium, then by who can see it."""
    if medium != "async":
        return UNPROMISED_SECONDS[medium]
    return UNPROMISED_SECONDS["private" if visibility == "private" else "public"]
