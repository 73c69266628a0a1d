"""What a pushed message says: XML or JSON, read into flat fields, and the events about authorizations among them."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from service.webhooks.crypto import InvalidMessage

__all__ = ["AuthorizationEvent", "EventKind", "read_event", "read_fields"]

#: Openids have 28 characters; stores keep up to this many.
_LONGEST_OPENID = 128
_LONGEST_REVOKE_INFO = 64
_MOMENT = re.compile(r"[1-9][0-9]{9}")
#: Characters that XML does not allow; people's messages hold them all the same.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_XML_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_NUMBER = re.compile(r"[0-9]+")
#: Permissions whose data the service never has: address, invoice, card, microphone, location, photos.
_OTHER_PERMISSIONS = frozenset({"201", "202", "203", "204", "206", "207"})


class EventKind(StrEnum):
    """The events about a user's authorization."""

    REVOKED = "user_authorization_revoke"  #: the user took it back: the data must be deleted
    CANCELLED = "user_authorization_cancellation"  #: the user closed their account at WeChat
    PROFILE_MODIFIED = "user_info_modified"  #: the profile is another one now


@dataclass(frozen=True, slots=True)
class AuthorizationEvent:
    """Something that happened to a user's authorization.

    Attributes:
        happened_at: When, as WeChat says; it may arrive a day later.
        revoke_info: Which permissions were taken back, in WeChat's numbers, separated by commas; empty where it does
            not say.
    """

    kind: EventKind
    appid: str
    openid: str
    happened_at: int
    revoke_info: str = ""

    @property
    def erases(self) -> bool:
        """Whether the user's data must be deleted, and not only the profile dropped.

        A revocation deletes unless it names only permissions whose data the service never has. Where it names none,
        or one that is not known here, it deletes.
        """
        if self.kind is not EventKind.REVOKED:
            return self.kind is EventKind.CANCELLED
        return not set(self.revoke_info.split(",")) <= _OTHER_PERMISSIONS

    @property
    def digest(self) -> bytes:
        """Identifies the event, however often and in whatever encryption it is delivered."""
        words = [self.kind.value, self.appid, self.openid, self.happened_at, self.revoke_info]
        return hashlib.sha256(json.dumps(words).encode()).digest()


def read_fields(body: bytes) -> dict[str, str]:
    """Read a message, XML or JSON, into its fields. Entities and document types are not expanded but refused.

    Messages hold what people typed: characters that XML does not allow are left out, bytes that are not UTF-8 replaced.
    White space around a value is none of it.

    Raises:
        InvalidMessage: It is neither.
    """
    text = body.decode("utf-8-sig", errors="replace")
    try:
        if text.lstrip()[:1] == "{":
            content = json.loads(text, strict=False)
            return {name: str(value).strip() for name, value in content.items() if isinstance(value, str | int)}
        root = _read_xml(body, text)
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        raise InvalidMessage("the message is neither XML nor JSON as WeChat sends it") from None
    return {child.tag: (child.text or "").strip() for child in root}


def read_event(fields: Mapping[str, str], appid: str) -> AuthorizationEvent | None:
    """Return the event that a message tells, or None when it is about something else.

    Raises:
        InvalidMessage: It is one, but of another account or without its user or time.
    """
    if fields.get("MsgType") != "event" or fields.get("Event") not in set(EventKind):
        return None
    if fields.get("AppID") != appid:
        raise InvalidMessage("the event is about another account")
    openid, happened_at = fields.get("OpenID", ""), fields.get("CreateTime", "")
    if not 0 < len(openid) <= _LONGEST_OPENID or not openid.isascii() or not openid.isprintable():
        raise InvalidMessage("the event names no user")
    if not _MOMENT.fullmatch(happened_at):
        raise InvalidMessage("the event has no time")
    revoke_info = ",".join(_NUMBER.findall(fields.get("RevokeInfo", "")[:_LONGEST_REVOKE_INFO]))
    return AuthorizationEvent(EventKind(fields["Event"]), appid, openid, int(happened_at), revoke_info)


def _read_xml(body: bytes, text: str) -> Element:
    try:
        return fromstring(body, forbid_dtd=True)
    except (ParseError, ValueError, LookupError):
        # The declaration may name an encoding that the text is not in, or that nobody knows.
        readable = _NOT_XML.sub("", _XML_DECLARATION.sub("", text, count=1))
        return fromstring(readable, forbid_dtd=True)
