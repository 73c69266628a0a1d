"""How records are written as the arguments of scripts, and read from the fields of hashes."""

from collections.abc import Mapping, Sequence
from typing import Any

from storage.activity import Activity, ActivityKind
from storage.grants import SealedTokens
from storage.users import USER_FIELDS, Authorization, Status

__all__ = [
    "Argument",
    "counter_name",
    "from_answer",
    "read_authorization",
    "read_counters",
    "to_arguments",
    "user_name",
    "user_values",
]

Argument = str | bytes | int

TEXT_FIELDS = frozenset({"appid", "openid", "scope", "unionid", "last_error_kind", "nickname", "avatar_url"})


def user_name(appid: str, openid: str) -> str:
    """Name a user as the keys of rows do."""
    return f"{appid}|{openid}"


def counter_name(one: Activity) -> str:
    """Name a count within the counts of its hour."""
    return f"{one.appid}|{one.kind}|{one.errcode}"


def read_counters(hour: int, counts: Mapping[bytes, bytes]) -> list[Activity]:
    """Read the counts of an hour."""
    found = []
    for name, number in counts.items():
        appid, kind, errcode = name.decode().rsplit("|", 2)
        found.append(Activity(hour, appid, ActivityKind(kind), int(errcode), int(number)))
    return sorted(found, key=lambda one: (one.appid, one.kind, one.errcode))


def to_arguments(values: Mapping[str, Argument | None]) -> list[Argument]:
    """Write fields as scripts read them: how many, then name and value of each that is not None."""
    known = [(name, value) for name, value in values.items() if value is not None]
    words = [word for pair in known for word in pair]
    return [len(known), *(int(word) if isinstance(word, bool) else word for word in words)]  # redis-py takes no bool


def from_answer(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """Read the fields of a row from a script's answer."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def user_values(values: Mapping[str, bytes | None]) -> dict[str, Any]:
    """Turn fields of a row into values of an `AuthorizedUser`."""
    found: dict[str, Any] = {}
    for name in USER_FIELDS:
        value = values.get(name)
        if value is None:
            found[name] = None
        elif name in TEXT_FIELDS:
            found[name] = value.decode()
        elif name == "status":
            found[name] = Status(value.decode())
        else:
            found[name] = int(value)
    return {**found, "is_snapshotuser": bool(found["is_snapshotuser"])}


def read_authorization(row: Mapping[bytes, bytes]) -> Authorization:
    """Read an authorization from the fields of its row."""
    values = {name.decode(): value for name, value in row.items()}
    tokens = SealedTokens(values["access_token"], values["refresh_token"])
    return Authorization(**user_values(values), tokens=tokens)
