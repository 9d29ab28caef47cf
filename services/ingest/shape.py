"""The one contact model, as callers write it, and what it means. Unknown fields are refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, TypeVar

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from libs.common.errors import FieldError, Invalid
from libs.common.events import values
from libs.common.events.codec import instant_of
from libs.common.events.values import Medium, Tier, Visibility
from libs.common.problems import ERRORS_SHOWN_MAX, pointer, rule
from libs.common.schema import Id, StrictModel, Tag
from services.ingest import limits
from services.ingest.core.identity import Identity, same_form
from services.ingest.core.joining import ATTRIBUTES_MAX
from services.ingest.core.normalize import Received
from services.ingest.core.visibility import NO_REACH

ModelT = TypeVar("ModelT", bound=StrictModel)

Address = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=limits.ADDRESS_CHARACTERS_MAX),
]
SourceId = Annotated[str, StringConstraints(min_length=1, max_length=limits.SOURCE_ID_CHARACTERS_MAX)]
MessageText = Annotated[str, StringConstraints(max_length=limits.TEXT_CHARACTERS_MAX)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)]
AttributeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
AttributeText = Annotated[str, StringConstraints(max_length=limits.ATTRIBUTE_CHARACTERS_MAX)]
Skill = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
Signal = Annotated[int, Field(ge=0, le=limits.SIGNAL_MAX)]


class IdentityBody(StrictModel):
    channel: Tag
    address: Address

    def identity(self) -> Identity:
        return Identity(channel=self.channel, address=same_form(self.channel, self.address))


class CustomerBody(StrictModel):
    identities: Annotated[tuple[IdentityBody, ...], Field(min_length=1, max_length=limits.IDENTITIES_MAX)]
    """Addresses on channels; the first that is known says who it is."""
    tier: Tier | None = None
    """Null: as it is; `standard` for somebody new."""

    def all(self) -> tuple[Identity, ...]:
        """The identities, each once, in the order given."""
        found = [body.identity() for body in self.identities]
        return tuple({identity.place: identity for identity in found}.values())


class ReachBody(StrictModel):
    followers: Signal = 0
    views: Signal = 0
    reactions: Signal = 0
    shares: Signal = 0

    def value(self) -> values.Reach:
        return values.Reach(**self.model_dump())


class SkillBody(StrictModel):
    skill: Skill
    level: Annotated[int, Field(ge=1, le=5)] = 1


Skills = Annotated[tuple[SkillBody, ...], Field(max_length=limits.SKILLS_MAX)]


Agents = Annotated[tuple[Id, ...], Field(max_length=limits.AGENTS_MAX)]


class RequirementBody(StrictModel):
    all: Skills = ()
    any: Skills = ()
    none: Skills = ()
    prefer_agents: Agents = ()
    """They go first, in this order, while the contact is early and they are there."""
    exclude_agents: Agents = ()
    """They never get it, whomever it prefers."""

    def requirement(self) -> values.Requirement:
        return values.Requirement(
            all=_needs(self.all), any=_needs(self.any), none=_needs(self.none),
            prefer_agents=self.prefer_agents, exclude_agents=self.exclude_agents,
        )  # fmt: skip


class ContactBody(StrictModel):
    """One message from outside. What opens a contact and what joins one look the same."""

    account: Id
    channel: Tag
    medium: Medium = "async"
    visibility: Visibility = "private"
    source_id: SourceId
    """The message's id at its source: sent again under it, it counts once."""
    conversation: SourceId | None = None
    """Messages of one conversation join its open contact."""
    occurred_at: datetime | None = None
    """When it was written; null: when it was received."""
    customer: CustomerBody
    text: MessageText | None = None
    """Kept as a record, never on the log."""
    language: Language | None = None
    """Null: found from the text."""
    topics: Annotated[tuple[Tag, ...], Field(max_length=limits.TOPICS_MAX)] | None = None
    sentiment: Annotated[float, Field(ge=-1, le=1)] | None = None
    """From -1, upset, to 1."""
    reach: ReachBody | None = None
    """How many can see it; counts where it is not private."""
    requirement: RequirementBody | None = None
    """What it needs besides what its queue asks; it never loosens."""
    queue: Id | None = None
    """The queue that shall take it; null: the first that matches."""
    incident_key: Id | None = None
    """What many contacts are about at once. Where the queue groups, those with the same key are offered as one."""
    attributes: Annotated[
        dict[AttributeName, AttributeText | int | float | bool], Field(max_length=ATTRIBUTES_MAX)
    ] = {}
    """Those that the account names as `routable` go on the log, and rules may compare them."""

    def received(self, at: datetime | None = None) -> Received:
        """What happened; `at` is when, if the body doesn't say."""
        return Received(
            source_id=self.source_id, channel=self.channel, medium=self.medium, visibility=self.visibility,
            identities=self.customer.all(), tier=self.customer.tier, conversation=self.conversation,
            text=self.text, occurred_at=instant_of(self.occurred_at or at), language=self.language,
            topics=self.topics, sentiment=self.sentiment, queue=self.queue,
            incident_key=self.incident_key, attributes=dict(self.attributes),
            reach=self.reach.value() if self.reach else NO_REACH,
            requirement=self.requirement.requirement() if self.requirement else None,
        )  # fmt: skip


CONTACT: Final = TypeAdapter(ContactBody)


def parsed(body: object, at: str = "") -> ContactBody:
    """The contact that a parsed JSON value describes. Raises Invalid whose pointers begin with `at`."""
    try:
        return CONTACT.validate_python(body)
    except ValidationError as failure:
        wrong = failure.errors(include_input=False, include_url=False, include_context=False)[:ERRORS_SHOWN_MAX]
        errors = [
            FieldError(at + pointer(("body", *error["loc"]), body, error["type"]), rule(error)) for error in wrong
        ]
        raise Invalid("the contact is not valid", errors=errors) from None


def _needs(bodies: tuple[SkillBody, ...]) -> tuple[values.SkillNeed, ...]:
    return tuple(values.SkillNeed(skill=body.skill, level=body.level) for body in bodies)
