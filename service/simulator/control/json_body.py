"""JSON bodies of the control API, read with a clear refusal for everything unexpected."""

import json
from collections.abc import Collection, Mapping
from types import NoneType
from typing import Any

__all__ = ["read_json_object"]

_NAMES: Mapping[type, str] = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "a text",
    NoneType: "null",
}


def read_json_object(body: bytes, fields: Mapping[str, Collection[type]]) -> dict[str, Any]:
    """Return the members of a JSON object; none of them when the body is empty.

    Args:
        body: What was sent.
        fields: The members there may be, and the types each may have. `int` does not take true and false.

    Raises:
        ValueError: It is not an object, or a member is unknown or of another type. The text begins with its name.
    """
    if not body.strip():
        return {}
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON") from None
    if not isinstance(values, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 - all refusals are of one type
    for name, value in values.items():
        if name not in fields:
            raise ValueError(f"{name}: unknown; expected {', '.join(fields)}")
        if type(value) not in fields[name]:
            raise ValueError(f"{name}: expected {' or '.join(_NAMES[wanted] for wanted in fields[name])}")
    return values
