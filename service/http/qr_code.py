"""QR codes of addresses, as pictures that a page holds in itself."""

from typing import Any

__all__ = ["LONGEST_ADDRESS", "qr_code", "qr_code_element"]

#: A longer address gives a picture of more than 100 dots a side, which phones hardly read off a screen.
LONGEST_ADDRESS = 600
#: One of the eight patterns of ISO/IEC 18004 that break up what is even. Any of them is read; comparing all eight, as
#: the standard advises, takes ten times as long.
_MASK = 3
#: What the standard wants to be empty around it, in dots.
_BORDER = 4
#: About how wide the picture is. Each dot has as many pixels, for blurred edges are what cameras fail at.
_WIDTH = 300
_LEAST_PIXELS = 3


def qr_code(address: str) -> str | None:
    """Return the QR code of an address as a `data:` URL of an SVG picture; None where the address is too long.

    Takes some milliseconds of computing: not for the event loop.
    """
    drawn = _draw(address)
    return None if drawn is None else drawn[0].svg_data_uri(**drawn[1], encode_minimal=True)


def qr_code_element(address: str) -> str | None:
    """Return the same picture as an element of HTML, for pages whose policy forbids `data:` URLs."""
    drawn = _draw(address)
    return None if drawn is None else drawn[0].svg_inline(**drawn[1])


def _draw(address: str) -> tuple[Any, dict[str, Any]] | None:
    """Return the code of an address, and how it is written; None where the address is too long."""
    if len(address) > LONGEST_ADDRESS:
        return None
    # Most processes never show one.
    import segno  # noqa: PLC0415 - imported with the first picture

    code = segno.make_qr(address, error="l", boost_error=False, mask=_MASK)
    dots = code.symbol_size(border=_BORDER)[0]
    scale = max(_LEAST_PIXELS, _WIDTH // dots)
    return code, {"border": _BORDER, "scale": scale, "light": "#fff"}
