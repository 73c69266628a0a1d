"""What a pushed message says: XML or JSON, read into flat fields, and the events about authorizations among them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from service.webhooks.crypto import InvalidMessage

__all__ = ["AuthorizationEvent", "EventKind", "read_event", "read_fields"]

_LARGEST_NUMBER_LENGTH = 12
#: Openids have 28 characters; stores keep up to this many.
_LONGEST_OPENID = 128


class EventKind(StrEnum):
    """The events about a user's authorization."""

    REVOKED = "user_authorization_revoke"  #: the user took it back: the data must be deleted
    CANCELLED = "user_authorization_cancellation"  #: the user closed their account at WeChat
    PROFILE_MODIFIED = "user_info_modified"  #: the profile is another one now


@dataclass(frozen=True, slots=True)
class AuthorizationEvent:
    """Something that happened to a user's authorization.

    Attributes:
        happened_at: When, as WeChat says; it may be told a day later.
        revoke_info: Which permissions were taken back, in WeChat's numbers; empty where it does not say.
    """

    kind: EventKind
    appid: str
    openid: str
    happened_at: int
    revoke_info: str = ""


def read_fields(body: bytes) -> dict[str, str]:
    """Read a message, XML or JSON, into its fields. Entities and document types are not expanded but refused.

    Raises:
        InvalidMessage: It is neither.
    """
    try:
        if body.lstrip()[:1] == b"{":
            content = json.loads(body)
            return {name: str(value) for name, value in content.items() if isinstance(value, str | int)}
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        raise InvalidMessage("the message is neither XML nor JSON as WeChat sends it") from None
    return {child.tag: child.text or "" for child in root}


def read_event(fields: Mapping[str, str], appid: str) -> AuthorizationEvent | None:
    """Return the event that a message tells, or None when it is about something else.

    Raises:
        InvalidMessage: It is one, but of another account or without its user.
    """
    if fields.get("MsgType") != "event" or fields.get("Event") not in set(EventKind):
        return None
    if fields.get("AppID") != appid:
        raise InvalidMessage("the event is about another account")
    openid, happened_at = fields.get("OpenID", ""), fields.get("CreateTime", "")
    if not 0 < len(openid) <= _LONGEST_OPENID or not openid.isascii() or not openid.isprintable():
        raise InvalidMessage("the event names no user")
    if not happened_at.isdecimal() or len(happened_at) > _LARGEST_NUMBER_LENGTH:
        raise InvalidMessage("the event has no time")
    return AuthorizationEvent(EventKind(fields["Event"]), appid, openid, int(happened_at), fields.get("RevokeInfo", ""))
