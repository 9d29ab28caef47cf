"""X, by its Account Activity API (v1 payloads).

Every call is signed with the app's consumer secret over the raw body; a GET with a `crc_token` proves that we know
it. Ids exceed 2^53: only the `_str` forms are read. Calls have no timestamp: a replay changes nothing because
message ids are unique.

Becomes a contact: a mention, a reply, a quote, a private message. The account's own posts are answers where they
reply to a conversation that we know or come to know. Retweets, likes, follows, typing and read receipts are
acknowledged only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from libs.common import strict_json
from libs.common.errors import Invalid
from libs.common.events.values import Reach
from services.ingest.channels.provider import Call, Provider, Reading, Refused, Secrets
from services.ingest.core.identity import Identity
from services.ingest.core.normalize import Answered, Deleted, Happening, Received
from services.ingest.limits import (
    ADDRESS_CHARACTERS_MAX,
    HAPPENINGS_MAX,
    NAME_CHARACTERS_MAX,
    SIGNAL_MAX,
    SOURCE_ID_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
)

CHANNEL: Final = "x"
SIGNATURE: Final = "x-twitter-webhooks-signature"
TOKEN: Final = re.compile(r"[A-Za-z0-9_+/=.-]{1,256}")
"""A `crc_token`. The answer to it is the very signature that a call with these bytes would bear, so nothing is signed
that could be one: a call is a JSON object and has a brace, which no token of X ever has."""
CREATED_AT: Final = "%a %b %d %H:%M:%S %z %Y"
NO_LANGUAGE: Final = frozenset({"und", "zxx", "art", "qam", "qct", "qht", "qme", "qst"})
NOT_CONTACTS: Final = frozenset(
    "favorite_events follow_events unfollow_events block_events unblock_events mute_events unmute_events user_event "
    "direct_message_indicate_typing_events direct_message_mark_read_events".split()
)
CONTACTS: Final = frozenset({"tweet_create_events", "direct_message_events", "tweet_delete_events"})
NO_KINDS: Final = frozenset({"for_user_id", "users", "apps", "user_has_blocked"})


class User(msgspec.Struct):
    id_str: str
    name: str | None = None
    screen_name: str | None = None
    followers_count: int | None = None
    verified: bool | None = None
    protected: bool | None = None


class Mention(msgspec.Struct):
    id_str: str | None = None


class Entities(msgspec.Struct):
    user_mentions: list[Mention] | None = None


class ExtendedTweet(msgspec.Struct):
    full_text: str
    entities: Entities | None = None


class Tweet(msgspec.Struct):
    id_str: str
    user: User
    text: str | None = None
    full_text: str | None = None
    extended_tweet: ExtendedTweet | None = None
    entities: Entities | None = None
    in_reply_to_status_id_str: str | None = None
    in_reply_to_user_id_str: str | None = None
    retweeted_status: dict[str, Any] | None = None
    is_quote_status: bool | None = None
    quote_count: int | None = None
    reply_count: int | None = None
    retweet_count: int | None = None
    favorite_count: int | None = None
    lang: str | None = None
    timestamp_ms: str | int | None = None
    created_at: str | None = None


class Recipient(msgspec.Struct):
    recipient_id: str


class MessageData(msgspec.Struct):
    text: str | None = None


class MessageCreate(msgspec.Struct):
    sender_id: str
    target: Recipient
    message_data: MessageData = msgspec.field(default_factory=MessageData)


class DirectMessage(msgspec.Struct):
    id: str
    type: str | None = None
    created_timestamp: str | int | None = None
    message_create: MessageCreate | None = None


class DirectMessageUser(msgspec.Struct):
    name: str | None = None
    screen_name: str | None = None
    followers_count: int | None = None
    verified: bool | None = None


class Status(msgspec.Struct):
    id: str


class Deletion(msgspec.Struct):
    status: Status
    timestamp_ms: str | int | None = None


class Activity(msgspec.Struct):
    """A call. Fields that nobody needs are let pass: the provider adds some every year."""

    for_user_id: str | None = None
    tweet_create_events: list[Tweet] = []
    direct_message_events: list[DirectMessage] = []
    tweet_delete_events: list[Deletion] = []
    users: dict[str, DirectMessageUser] = {}


def signature(content: bytes, secret: str) -> str:
    digest = hmac.digest(secret.encode(), content, hashlib.sha256)
    return "sha256=" + base64.b64encode(digest).decode()


def challenge(call: Call, secrets: Secrets) -> dict[str, Any]:
    token = call.query.get("crc_token", "")
    if not TOKEN.fullmatch(token):
        raise Refused("no_crc_token", "crc_token is missing or none of X's", status=400)
    return {"response_token": signature(token.encode(), secrets["consumer_secret"])}


def verify(call: Call, secrets: Secrets) -> None:
    given = call.headers.get(SIGNATURE)
    if given is None:
        raise Refused("unsigned", "the signature is missing", status=401)
    if not hmac.compare_digest(given.encode(), signature(call.raw, secrets["consumer_secret"]).encode()):
        raise Refused("bad_signature", "the signature is wrong")


def read(call: Call, secrets: Secrets) -> Reading:
    body = strict_json.loads(call.raw)
    if not isinstance(body, dict):
        raise Invalid("the body is no activity")
    activity = _activity(body)
    ignored = [kind for kind in sorted(body) if kind not in CONTACTS | NO_KINDS]
    if not body.keys() & CONTACTS:
        _check_account(activity, secrets)
        return Reading(ignored=_kinds(ignored))
    own = _check_account(activity, secrets)
    if own is None:
        raise Invalid("for_user_id is missing")
    found = [
        *(_of_tweet(tweet, own) for tweet in activity.tweet_create_events),
        *(_of_direct_message(message, own, activity.users) for message in activity.direct_message_events),
        *(_of_deletion(deletion) for deletion in activity.tweet_delete_events),
    ]
    if len(found) > HAPPENINGS_MAX:
        raise Invalid("too many events in one call")
    happenings = tuple(one for one in found if not isinstance(one, str))
    return Reading(happenings=happenings, ignored=_kinds([*ignored, *(one for one in found if isinstance(one, str))]))


def _activity(body: dict[str, Any]) -> Activity:
    try:
        return msgspec.convert(body, Activity)
    except msgspec.ValidationError:
        raise Invalid("the body is no activity of the kinds that it names") from None


def _check_account(activity: Activity, secrets: Secrets) -> str | None:
    """The account's own user id. Raises Refused when the call is for another account."""
    own = secrets.get("account_user_id") or activity.for_user_id
    if activity.for_user_id is not None and activity.for_user_id != own:
        raise Refused("wrong_account", "for_user_id is another account")
    return activity.for_user_id and own


def _kinds(kinds: list[str]) -> tuple[str, ...]:
    """Kinds as bounded labels of a metric."""
    known = NOT_CONTACTS | {"retweet", "direct_message_of_another_kind"}
    return tuple(kind if kind in known else "unknown" for kind in kinds)


def _of_tweet(tweet: Tweet, own: str) -> Happening | str:
    if tweet.retweeted_status is not None:
        return "retweet"
    _check_ids(tweet.id_str, tweet.in_reply_to_status_id_str)
    if tweet.user.id_str == own:
        return Answered(
            source_id=tweet.id_str, parent=tweet.in_reply_to_status_id_str, visibility="public",
            text=_text(tweet), occurred_at=_moment(tweet.timestamp_ms, tweet.created_at),
        )  # fmt: skip
    return Received(
        source_id=tweet.id_str, parent=tweet.in_reply_to_status_id_str, channel=CHANNEL, medium="async",
        visibility="community" if tweet.user.protected else "public", kind=_kind(tweet, own),
        identities=(_identity(tweet.user.id_str, tweet.user),), text=_text(tweet),
        occurred_at=_moment(tweet.timestamp_ms, tweet.created_at), reach=_reach(tweet),
        declared_language=_language(tweet.lang),
    )  # fmt: skip


def _kind(tweet: Tweet, own: str) -> str:
    extended = tweet.extended_tweet.entities if tweet.extended_tweet else None
    mentions = [
        one.id_str for entities in (tweet.entities, extended) for one in (entities and entities.user_mentions) or ()
    ]
    addressed = own in mentions or tweet.in_reply_to_user_id_str == own
    return "quote" if tweet.is_quote_status and not addressed else "mention"


def _reach(tweet: Tweet) -> Reach:
    return Reach(
        followers=_signal(tweet.user.followers_count),
        reactions=_signal(tweet.favorite_count) + _signal(tweet.reply_count),
        shares=_signal(tweet.retweet_count) + _signal(tweet.quote_count),
    )


def _of_direct_message(message: DirectMessage, own: str, users: dict[str, DirectMessageUser]) -> Happening | str:
    created = message.message_create
    if created is None or own not in (created.sender_id, created.target.recipient_id):
        return "direct_message_of_another_kind"
    _check_ids(message.id, created.sender_id, created.target.recipient_id)
    said: dict[str, Any] = {
        "source_id": message.id,
        "visibility": "private",
        "conversation": "dm:" + "-".join(sorted((created.sender_id, created.target.recipient_id))),
        "text": _bounded(html.unescape(created.message_data.text or ""), TEXT_CHARACTERS_MAX),
        "occurred_at": _moment(message.created_timestamp, None),
    }
    if created.sender_id == own:
        return Answered(**said)
    sender = users.get(created.sender_id, DirectMessageUser())
    reach = Reach(followers=_signal(sender.followers_count))
    return Received(
        **said, channel=CHANNEL, medium="async", kind="direct_message", reach=reach,
        identities=(_identity(created.sender_id, sender),),
    )  # fmt: skip


def _of_deletion(deletion: Deletion) -> Happening:
    return Deleted(source_id=deletion.status.id, occurred_at=_moment(deletion.timestamp_ms, None))


def _identity(user_id: str, user: User | DirectMessageUser) -> Identity:
    """The user id is the address: a handle can change hands."""
    if not 0 < len(user_id) <= ADDRESS_CHARACTERS_MAX:
        raise Invalid("a user id is empty or too long")
    return Identity(
        channel=CHANNEL, address=user_id, handle=_bounded(user.screen_name, NAME_CHARACTERS_MAX),
        name=_bounded(user.name, NAME_CHARACTERS_MAX), verified=bool(user.verified),
    )  # fmt: skip


def _text(tweet: Tweet) -> str | None:
    """The whole text: a long post's is in `extended_tweet`. `&`, `<` and `>` come escaped."""
    whole = tweet.extended_tweet.full_text if tweet.extended_tweet else tweet.full_text or tweet.text
    return _bounded(None if whole is None else html.unescape(whole), TEXT_CHARACTERS_MAX)


def _moment(milliseconds: str | int | None, created_at: str | None) -> int | None:
    """Microseconds since 1970 UTC; None when the call tells no time that can be read."""
    digits = str(milliseconds or "")
    if digits.isascii() and digits.isdecimal() and len(digits) <= 15:
        return int(digits) * 1_000
    try:
        moment = datetime.strptime(created_at or "", CREATED_AT).astimezone(UTC)
        return round(moment.timestamp()) * 1_000_000
    except (ValueError, OverflowError):
        return None


def _language(lang: str | None) -> str | None:
    """X says `und` and the like when it doesn't know, and names some languages by their region."""
    code = (lang or "und").split("-", 1)[0].casefold()
    return code if len(code) == 2 and code.isascii() and code.isalpha() and code not in NO_LANGUAGE else None


def _signal(count: int | None) -> int:
    return min(max(0, count or 0), SIGNAL_MAX)


def _check_ids(*ids: str | None) -> None:
    """All of them become keys of an index."""
    if any(one is not None and not 0 < len(one) <= SOURCE_ID_CHARACTERS_MAX for one in ids):
        raise Invalid("an id is empty or too long")


def _bounded(text: str | None, characters: int) -> str | None:
    return None if text is None else text[:characters]


PROVIDER: Final = Provider(
    name="x",
    secrets=frozenset({"consumer_secret", "account_user_id"}),
    required=frozenset({"consumer_secret"}),
    wrong=lambda _secrets: {},
    challenge=challenge,
    verify=verify,
    read=read,
)
