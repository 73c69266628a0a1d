"""Fields of a posted body: JSON, a form or multipart, recognized by its bytes, whatever its content type claims.

Pages in the field send forms as `text/plain` (`fetch` with a string), JSON under a form's type (jQuery) or as the only
name of a form (`new URLSearchParams(JSON.stringify(x))`), multipart without its boundary (a type set by hand), and a
byte order mark before it all.
"""

import codecs
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from tornado.httputil import HTTPFile, HTTPInputError, parse_multipart_form_data

__all__ = ["InvalidBody", "names_for_message", "read_fields"]

_MOST_FIELDS = 100
_MULTIPART = re.compile(rb"(?:\xef\xbb\xbf)?\s*--([^\r\n]{1,200})\r\n(?i:content-)")
_JSON_AS_A_NAME = re.compile(r"\s*(?:\{|%7b)", re.IGNORECASE)
_LINE_ENDS = re.compile(r"[\r\n]+")
#: Names that a message may repeat: a longer word may be a code that was sent in the place of a name.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,23}")
_MOST_NAMES = 8


class InvalidBody(Exception):
    """A body that is none of the three. The text says what is wrong and holds nothing of the body."""


def read_fields(body: bytes) -> dict[str, Any]:
    """Return the fields of a body by name; of a repeated one the last. Those of a form are strings.

    Bytes that are no text are replaced: a field that matters is then not what it should be, and the others are read.

    Raises:
        InvalidBody: It is not empty and has no fields, as a JSON list or a bare word.
    """
    if body[:1] == b"{":  # what most pages send
        try:
            return _fields_of_json(json.loads(body))
        except (ValueError, RecursionError):
            pass
    boundary = _MULTIPART.match(body)
    if boundary is not None:
        return _fields_of_multipart(boundary[1], body[boundary.start(1) - len("--") :])
    text = _text_of(body)
    if text[:1] in {"{", "[", '"'}:
        return _read_json(text)
    if _JSON_AS_A_NAME.match(text):
        return _read_json(unquote_plus(text))
    return _fields_of_form(text)


def names_for_message(fields: Iterable[str]) -> str:
    """Return the names of fields for a message: those that are plainly names, a few, and never a value."""
    names = list(fields)
    shown = [name for name in names if _NAME.fullmatch(name)][:_MOST_NAMES]
    hidden = len(names) - len(shown)
    if hidden:
        shown.append(f"{hidden} more")
    return ", ".join(shown)


def _text_of(body: bytes) -> str:
    return body.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace").strip()


def _read_json(text: str) -> dict[str, Any]:
    try:
        return _fields_of_json(json.loads(text.rstrip("=&")))  # the end of a form whose only name it is
    except (ValueError, RecursionError):
        raise InvalidBody("the body is not JSON") from None


def _fields_of_json(content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InvalidBody('the body must be a JSON object, such as {"code": "…"}')
    return content


def _fields_of_multipart(boundary: bytes, body: bytes) -> dict[str, Any]:
    arguments: dict[str, list[bytes]] = {}
    files: dict[str, list[HTTPFile]] = {}
    try:
        parse_multipart_form_data(boundary, body, arguments, files)
    except (HTTPInputError, ValueError):
        raise InvalidBody("the body is not well-formed multipart") from None
    return {name: values[-1].decode("utf-8", "replace") for name, values in arguments.items()}


def _fields_of_form(text: str) -> dict[str, Any]:
    """Read a form; one of the type text/plain has a field a line."""
    pairs = _LINE_ENDS.sub("&", text)
    if not pairs:
        return {}
    try:
        fields = dict(parse_qsl(pairs, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise InvalidBody("the body has too many fields") from None
    # A word without "=" is a value that lacks its name.
    bare = {unquote_plus(pair) for pair in pairs.split("&") if "=" not in pair}
    fields = {name: value for name, value in fields.items() if value or name not in bare}
    if not fields:
        raise InvalidBody('the body must be JSON, such as {"code": "…"}, or a form with a field code')
    return fields
