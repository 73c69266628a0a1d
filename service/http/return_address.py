"""The address of a page that a browser is to return to: read from a query, and without an earlier answer of WeChat."""

import re
from urllib.parse import unquote_to_bytes, urlsplit

__all__ = ["address_argument", "without_answer"]

_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_STATE_ISSUED_HERE = re.compile(r"state=[0-9a-f]{64}")
#: WeChat writes `code` and `state` in this order behind the page's own parameters. Its codes have about 32 characters.
_CODE_OF_WECHAT = re.compile(r"code=(?:[0-9A-Za-z_-]{20,128}|(?i:authdeny))")


def address_argument(query: str, name: str) -> str:
    """Return an address from a query; of several the last, of none the empty string.

    A `+` stays what it is in an address. Bytes beyond ASCII become percent-encoded, as browsers send them, in whatever
    encoding they are. The answer may hold any ASCII character.
    """
    values = [value for key, _, value in (pair.partition("=") for pair in query.split("&")) if key == name]
    if not values:
        return ""
    address = unquote_to_bytes(values[-1])
    return _BEYOND_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], address).decode("ascii")


def without_answer(address: str) -> str:
    """Return a page's address without the `code` and `state` of an earlier answer.

    Parameters of the page's own that are called so stay: an answer has a state of this service, or a code of WeChat's
    form with a state behind it.
    """
    try:
        url = urlsplit(address)
    except ValueError:
        return ""
    kept: list[str] = []
    for pair in url.query.split("&"):
        after_code = bool(kept) and _CODE_OF_WECHAT.fullmatch(kept[-1]) is not None
        if _STATE_ISSUED_HERE.fullmatch(pair) or (pair.startswith("state=") and after_code):
            if after_code:
                kept.pop()
        else:
            kept.append(pair)
    return address if len(kept) == url.query.count("&") + 1 else url._replace(query="&".join(kept)).geturl()
