"""Reads values out of the fields of a reply, whatever their spelling, within what a store holds."""

import re
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

from service.wechat.endpoints import Endpoint
from service.wechat.errors import FaultReason, WeChatFault, WeChatRefusal
from service.wechat.reply_body import Numeral, read_fields
from service.wechat.scopes import canonical_scope

__all__ = ["ReplyFields"]

T = TypeVar("T")

_CONTROL_CHARACTERS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PADDING: Final = "\0 \t\r\n"
#: Replies with tokens hold no text of users, which could look like a field.
_WITHOUT_TEXT: Final = frozenset({Endpoint.EXCHANGE, Endpoint.REFRESH, Endpoint.STABLE_TOKEN, Endpoint.TICKET})
#: Numbers of more digits are none: databases keep 64 bits.
_DIGITS_LIMIT: Final = 18

# What stores hold, in characters; of a token in bytes, of which sealing adds some.
_IDENTIFIER_LIMIT: Final = 128
_SCOPE_LIMIT: Final = 255
_TOKEN_BYTES_LIMIT: Final = 65_000
_DISPLAY_TEXT_LIMIT: Final = 255
_WEB_ADDRESS_LIMIT: Final = 2048


class ReplyFields:
    """The fields of a reply that is not a refusal, none longer than what a store holds.

    Args:
        endpoint: The call that was answered.
        body: The answer, as it came.
        appid: The account it was made for.

    Raises:
        WeChatRefusal: The reply has an errcode other than 0.
        WeChatFault: The reply is not JSON.
    """

    __slots__ = ("_appid", "_endpoint", "_fields")

    def __init__(self, endpoint: Endpoint, body: bytes, appid: str) -> None:
        self._endpoint = endpoint
        self._appid = appid
        fields = read_fields(body, salvage=endpoint in _WITHOUT_TEXT)
        if fields is None:
            raise WeChatFault(endpoint, appid, FaultReason.NOT_JSON, reply_started=True)
        self._fields = fields
        errcode = self.number("errcode") if "errcode" in fields else None
        if errcode:
            raise WeChatRefusal(endpoint, appid, errcode, self._text("errmsg"), rid=self._text("rid"))

    def required(self, name: str, value: T | None) -> T:
        """Return a value that must be there, or raise a `WeChatFault` that names its field."""
        if value is None:
            raise WeChatFault.malformed(self._endpoint, self._appid, f"{name} is missing or malformed")
        return value

    def identifier(self, name: str) -> str | None:
        """Return a string of visible ASCII characters that a store can hold; None for anything else."""
        value = self._string(name)
        return value if value.isascii() and value.isprintable() and 0 < len(value) <= _IDENTIFIER_LIMIT else None

    def token(self, name: str) -> str | None:
        """Return a token, of which nothing is documented but that it is a string."""
        value = _without_half_characters(self._string(name))
        return value if value and len(value.encode()) <= _TOKEN_BYTES_LIMIT else None

    def scope(self, name: str) -> str:
        """Return a scope in canonical form; empty where there is none that a store can hold."""
        value = self._fields.get(name, "")
        names = value if isinstance(value, list) else [value]
        scope = canonical_scope(",".join(each for each in names if isinstance(each, str)))
        return scope if len(scope) <= _SCOPE_LIMIT else ""

    def number(self, name: str) -> int | None:
        """Return a whole number in whatever spelling; None for anything else."""
        value = self._fields.get(name)
        return _number(value) if isinstance(value, str) else None

    def flag(self, name: str) -> bool:
        """Return whether an optional flag is set: 1 or true."""
        return self._fields.get(name) in (True, "true") or self.number(name) not in (None, 0)

    def display_text(self, name: str) -> str:
        """Return a text without what databases and terminals cannot take; empty where missing."""
        return _CONTROL_CHARACTERS.sub("", _without_half_characters(self._text(name)))[:_DISPLAY_TEXT_LIMIT]

    def web_address(self, name: str) -> str:
        """Return an http(s) address; empty for anything else, which must never end up in a page."""
        value = self._string(name)
        is_address = value.isascii() and value.isprintable() and value.startswith(("https://", "http://"))
        return value if is_address and len(value) <= _WEB_ADDRESS_LIMIT else ""

    def _text(self, name: str) -> str:
        value = self._fields.get(name)
        return value if isinstance(value, str) else ""

    def _string(self, name: str) -> str:
        """Return what was written as a string: a number is no identifier."""
        value = self._fields.get(name)
        return value.strip(_PADDING) if isinstance(value, str) and not isinstance(value, Numeral) else ""


def _without_half_characters(text: str) -> str:
    """Replace halves of surrogate pairs, which no encoding can write: a nickname cut inside an emoji has one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if not text.isascii() else text


def _number(text: str) -> int | None:
    """Return the whole number that a text spells: `7200`, ` 7200 `, `7200.0`, `7.2e3`."""
    text = text.strip(_PADDING)
    if text.isdecimal() and len(text) <= _DIGITS_LIMIT:
        return int(text)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    # The exponent is looked at first: making an integer of 1e999999999 takes hours.
    if not number.is_finite() or not -_DIGITS_LIMIT <= number.adjusted() < _DIGITS_LIMIT:
        return 0 if number.is_zero() else None
    return int(number) if number == number.to_integral_value() else None
