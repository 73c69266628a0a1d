"""Reads the fields of a reply out of its bytes, however they are encoded.

A code can be exchanged once, so a reply that can be read in any way must be. Recorded of WeChat: bytes that are not
UTF-8 (a nickname cut inside a character) and control characters in strings. Proxies on the way may add a
byte order mark, compress a reply unasked, or change its encoding.
"""

import json
import re
import zlib
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["Numeral", "read_fields"]

#: How far a compressed body may grow, in bytes.
_UNPACKED_LIMIT: Final = 256 * 1024
#: `zlib`'s names for what it should expect: gzip or zlib with a header, deflate without one.
_ZLIB_FORMATS: Final = (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS)
_REPLACED: Final = "\N{REPLACEMENT CHARACTER}"
_PADDING: Final = "\ufeff\0 \t\r\n"
_FIELD: Final = re.compile(r'"(\w++)"\s*+:\s*+("(?:[^"\\]|\\.)*+"|-?\d[\d.eE+-]*+|true|false)', re.DOTALL)


class Numeral(str):
    """A JSON number, as it was written: of any length, so that none can make the whole reply unreadable."""

    __slots__ = ()


def _without_empty(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object without the fields that are null or empty, which count as missing."""
    return {name: value for name, value in pairs if value is not None and value != ""}


#: Control characters are seen in strings. `json.loads(…, strict=False)` would make a decoder for each reply.
_DECODER: Final = json.JSONDecoder(
    strict=False, object_pairs_hook=_without_empty, parse_int=Numeral, parse_float=Numeral, parse_constant=Numeral
)


def read_fields(body: bytes, *, salvage: bool = False) -> dict[str, Any] | None:
    """Return the fields of a reply's JSON object; numbers as `Numeral`, null and empty fields left out.

    Read are UTF-8, where what is not is replaced, UTF-16 and UTF-32, GB18030, and all of these compressed by gzip,
    deflate or Brotli. What stands before or behind the object is passed over.

    Args:
        body: As received.
        salvage: Pick single fields out of a body that is not JSON. Only for replies without texts of users: such a
            text could look like a field.

    Returns:
        No fields for JSON that holds no object; None for what is not JSON at all.
    """
    text = _text_of(body)
    fields = _first_object(text)
    if fields:
        return fields
    texts = [text, *_other_readings(body)]
    readings = [_first_object(text) for text in texts]
    if salvage:
        readings += [_single_fields(text) or None for text in texts]
    return next((found for found in readings if found), {} if {} in readings else None)


def _text_of(body: bytes) -> str:
    """Decode UTF-8, and GB18030 where not one character beyond ASCII is UTF-8: of a cut nickname some still are."""
    text = body.decode(errors="replace")
    if _REPLACED in text and all(char.isascii() or char == _REPLACED for char in text):
        try:
            return body.decode("gb18030")
        except UnicodeDecodeError:
            pass
    return text


def _first_object(text: str) -> dict[str, Any] | None:
    start = text.find("{")
    try:
        if start >= 0:
            fields: dict[str, Any] = _DECODER.raw_decode(text, start)[0]
            return fields
        _DECODER.decode(text.strip(_PADDING))
    except (ValueError, RecursionError):
        return None
    return {}


def _other_readings(body: bytes) -> Iterator[str]:
    """Yield what the bytes may say if they are not UTF-8."""
    for plain in (body, *_unpacked(body)):
        yield plain.decode(json.detect_encoding(plain), "replace")
        yield plain.decode("gb18030", "replace")


def _unpacked(body: bytes) -> Iterator[bytes]:
    for window in _ZLIB_FORMATS:
        try:
            yield zlib.decompressobj(window).decompress(body, _UNPACKED_LIMIT)
        except zlib.error:
            continue
    import brotli  # noqa: PLC0415 - few replies get here, and none that WeChat itself sends

    try:
        yield brotli.Decompressor().process(body, output_buffer_limit=_UNPACKED_LIMIT)
    except brotli.error:
        return


def _single_fields(text: str) -> dict[str, Any]:
    """Return the fields that stand in a damaged text; of several by one name, the first."""
    fields: dict[str, Any] = {}
    for name, value in _FIELD.findall(text):
        try:
            fields.setdefault(name, _DECODER.decode(value))
        except ValueError:
            continue
    return _without_empty(list(fields.items()))
