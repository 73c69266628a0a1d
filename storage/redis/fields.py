"""How records are written as the arguments of scripts, and read from the fields of hashes."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from storage.activity import Activity, ActivityKind
from storage.grants import Grant, SealedTokens
from storage.leases import Deferred, Failed, Outcome, Refreshed, Rejected, Released
from storage.users import Authorization, AuthorizedUser, Status

__all__ = [
    "USER_FIELDS",
    "Argument",
    "authorization",
    "counted_in",
    "flat",
    "grant_values",
    "paired",
    "settlement",
    "user_name",
    "user_values",
    "what",
]

Argument = str | bytes | int

#: What lists read: everything of an `AuthorizedUser`, nothing sealed.
USER_FIELDS = [one.name for one in fields(AuthorizedUser)]
TEXT_FIELDS = frozenset({"appid", "openid", "scope", "unionid", "last_error_kind", "nickname", "avatar_url"})


def user_name(appid: str, openid: str) -> str:
    """Name a user as the keys of rows do."""
    return f"{appid}|{openid}"


def what(one: Activity) -> str:
    """Name what is counted."""
    return f"{one.appid}|{one.kind}|{one.errcode}"


def counted_in(hour: int, counts: Mapping[bytes, bytes]) -> list[Activity]:
    """Read the counts of an hour."""
    found = []
    for what, number in counts.items():
        appid, kind, errcode = what.decode().rsplit("|", 2)
        found.append(Activity(hour, appid, ActivityKind(kind), int(errcode), int(number)))
    return sorted(found, key=lambda one: (one.appid, one.kind, one.errcode))


def flat(values: Mapping[str, Argument | None]) -> list[Argument]:
    """Write fields as scripts read them: how many, then name and value of each that is not None."""
    known = [(name, value) for name, value in values.items() if value is not None]
    return [len(known), *(word for pair in known for word in pair)]


def paired(flat: Sequence[bytes]) -> dict[bytes, bytes]:
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


def authorization(row: Mapping[bytes, bytes]) -> Authorization:
    """Read an authorization from the fields of its row."""
    values = {name.decode(): value for name, value in row.items()}
    tokens = SealedTokens(values["access_token"], values["refresh_token"])
    return Authorization(**user_values(values), tokens=tokens)


def grant_values(grant: Grant) -> dict[str, Argument | None]:
    """Return the fields that a grant brings."""
    return {
        "appid": grant.appid,
        "openid": grant.openid,
        "unionid": grant.unionid,
        "scope": grant.scope,
        "is_snapshotuser": int(grant.is_snapshotuser),
        "access_token": grant.tokens.access_token,
        "refresh_token": grant.tokens.refresh_token,
        "expires_at": grant.expires_at,
        "refresh_expires_at": grant.refresh_expires_at,
        "next_refresh_at": grant.next_refresh_at,
        "code_digest": grant.code_digest,
        "code_binding": grant.code_binding,
        "code_scope": grant.scope,
        "authorized_at": grant.authorized_at,
        "last_used_at": grant.authorized_at,
    }


def settlement(outcome: Outcome) -> tuple[str, dict[str, Argument | None]]:
    """Return an outcome's kind, and the fields it sets; which it clears is for the script to know."""
    match outcome:
        case Refreshed():
            return "refreshed", {
                "access_token": outcome.tokens.access_token,
                "refresh_token": outcome.tokens.refresh_token,
                "scope": outcome.scope,
                "refreshed_at": outcome.refreshed_at,
                "expires_at": outcome.expires_at,
                "refresh_expires_at": outcome.refresh_expires_at,
                "next_refresh_at": outcome.next_refresh_at,
            }
        case Rejected():
            return "rejected", _error_values(outcome)
        case Failed():
            return "failed", {**_error_values(outcome), "next_refresh_at": outcome.next_refresh_at}
        case Deferred():
            return "deferred", {"next_refresh_at": outcome.next_refresh_at}
        case Released():
            return "released", {}


def _error_values(outcome: Rejected | Failed) -> dict[str, Argument | None]:
    return {
        "last_error_code": outcome.error_code,
        "last_error_kind": outcome.error_kind,
        "last_error_at": outcome.at,
    }
