"""How records are written as the arguments of scripts, and read from the fields of hashes."""

from collections.abc import Mapping, Sequence
from typing import Any

from storage.activity import Activity, ActivityKind
from storage.grants import FALLBACK_FIELDS, FallbackGrant, RedeemedCode, SealedRow, SealedTokens
from storage.users import USER_FIELDS, Authorization, Status

__all__ = [
    "SEALED_FIELDS",
    "Argument",
    "counter_name",
    "from_answer",
    "read_authorization",
    "read_counters",
    "read_redeemed_code",
    "read_sealed_row",
    "to_arguments",
    "token_fields",
    "user_name",
    "user_values",
]

Argument = str | bytes | int

#: What is sealed, and whose it is.
SEALED_FIELDS = (
    "id",
    "appid",
    "openid",
    "access_token",
    "refresh_token",
    "fallback_access_token",
    "fallback_refresh_token",
)
TOKEN_FIELDS = frozenset({"access_token", "refresh_token"})
FLAG_FIELDS = frozenset({"is_snapshotuser"})
TEXT_FIELDS = frozenset(
    {"appid", "openid", "scope", "unionid", "last_error_kind", "nickname", "avatar_url", "external_id"}
)


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


def from_answer(names_and_values: Sequence[bytes]) -> dict[bytes, bytes]:
    """Read the fields of a row from a script's answer: names and values by turns."""
    return dict(zip(names_and_values[::2], names_and_values[1::2], strict=True))


def user_values(values: Mapping[str, bytes | None]) -> dict[str, Any]:
    """Turn fields of a row into values of an `AuthorizedUser`."""
    return {name: _value(name, values.get(name)) for name in USER_FIELDS}


def _value(name: str, written: bytes | None) -> Any:
    """Return what a field of a name holds, by the kinds of `AuthorizedUser` and `FallbackGrant`."""
    if written is None:
        return None
    if name in TOKEN_FIELDS:
        return written
    if name in TEXT_FIELDS:
        return written.decode()
    if name in FLAG_FIELDS:
        return written != b"0"
    if name == "status":
        return Status(written.decode())
    return int(written)


def read_authorization(row: Mapping[bytes, bytes]) -> Authorization:
    """Read an authorization from the fields of its row."""
    values = {name.decode(): value for name, value in row.items()}
    tokens = SealedTokens(values["access_token"], values["refresh_token"])
    held = {f"fallback_{name}": _value(name, values.get(f"fallback_{name}")) for name in FALLBACK_FIELDS}
    return Authorization(**user_values(values), tokens=tokens, fallback=FallbackGrant.read(held))


def read_redeemed_code(row: Mapping[bytes, bytes]) -> RedeemedCode:
    """Read what the code last exchanged gave from the fields of its row."""
    unionid = row.get(b"code_unionid")
    # A version that did not know the field may have stored the code.
    is_snapshotuser = row.get(b"code_is_snapshotuser", row[b"is_snapshotuser"])
    return RedeemedCode(
        appid=row[b"appid"].decode(),
        openid=row[b"openid"].decode(),
        scope=row[b"code_scope"].decode(),
        is_snapshotuser=is_snapshotuser != b"0",
        unionid=None if unionid is None else unionid.decode(),
        binding=row.get(b"code_binding"),
        authorized_at=int(row[b"authorized_at"]),
    )


def token_fields(tokens: SealedTokens, fallback: SealedTokens | None) -> dict[str, Argument | None]:
    """Return the fields that hold tokens."""
    return {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "fallback_access_token": None if fallback is None else fallback.access_token,
        "fallback_refresh_token": None if fallback is None else fallback.refresh_token,
    }


def read_sealed_row(values: Sequence[bytes | None]) -> SealedRow | None:
    """Read `SEALED_FIELDS` of a row; None where there is no such row."""
    row_id, appid, openid, access_token, refresh_token, *fallback = values
    if row_id is None or appid is None or openid is None or access_token is None or refresh_token is None:
        return None
    held = None if None in fallback else SealedTokens(*fallback)  # type: ignore[arg-type]
    return SealedRow(int(row_id), appid.decode(), openid.decode(), SealedTokens(access_token, refresh_token), held)
