"""Which language a browser prefers, by its `Accept-Language` header (RFC 9110, section 12.5.4)."""

import re
from collections.abc import Collection

__all__ = ["preferred_language"]

_WEIGHT = re.compile(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE | re.ASCII)


def preferred_language(accept_language: str, supported: Collection[str], default: str) -> str:
    """Return the supported language with the highest weight, the first of equals; the default if none is accepted.

    Only the first subtag counts: `zh-Hant-TW` is `zh`. Entries that are not well-formed are ignored.

    Args:
        accept_language: The header's value, which may be anything.
        supported: Languages as two or three lower-case letters.
        default: What is returned if the header names none of them.
    """
    best, best_weight = default, 0.0
    for entry in accept_language.split(","):
        tag, has_weight, parameter = entry.partition(";")
        weight = _WEIGHT.fullmatch(parameter)
        if has_weight and weight is None:
            continue
        language = tag.strip().partition("-")[0].lower()
        number = float(weight[1]) if weight is not None else 1.0
        if language in supported and number > best_weight:
            best, best_weight = language, number
    return best
