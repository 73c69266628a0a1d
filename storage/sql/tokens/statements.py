"""The statements of `SqlTokenStore`, built once.

A parameter `the_…` says which row is meant, or compares; a parameter `new_…` is written to the column of that name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Delete,
    Insert,
    Select,
    String,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    null,
    or_,
    select,
    update,
)

from storage.grants import FALLBACK_FIELDS, WIDE_SCOPE
from storage.leases import LONGEST_LEASE_SECONDS, Deferred, Failed, Outcome, Refreshed, Rejected, Released
from storage.sql.core.conditions import is_exactly
from storage.sql.core.dialects.base import Dialect
from storage.sql.core.dialects.index_hints import force_index
from storage.sql.core.schema import activity, authorizations
from storage.sql.tokens.rows import AUTHORIZATION_COLUMNS, SEALED_COLUMNS
from storage.users import Status

__all__ = [
    "COUNT_ALL",
    "COUNT_INACTIVE",
    "ERASE",
    "ERASE_ACCOUNT",
    "ERASE_ACTIVITY",
    "ERASE_EARLIER",
    "FIND_BY_CODE",
    "GET",
    "GET_ROWS",
    "LOCK_ROWS",
    "LOCK_SEALED_ROWS",
    "READ_ACTIVITY",
    "RESEAL",
    "REVOKE",
    "SAVE_PROFILE",
    "SEALED_ROWS",
    "SETTLE",
    "SET_EXTERNAL_ID",
    "SUCCEED",
    "TOUCH",
    "Statements",
]

_ROW = authorizations.c
_NO_LEASE: dict[str, Any] = {"lease_owner": None, "lease_until": None}
_NO_ERROR: dict[str, Any] = {"last_error_code": None, "last_error_kind": None, "last_error_at": None}
_NO_FALLBACK: dict[str, Any] = {f"fallback_{name}": None for name in FALLBACK_FIELDS}

_is_user = and_(
    is_exactly(_ROW.appid, bindparam("the_appid", type_=String)),
    is_exactly(_ROW.openid, bindparam("the_openid", type_=String)),
)
_is_row = _ROW.id == bindparam("the_id")
_is_one_of = _ROW.id.in_(bindparam("the_ids", expanding=True))


def _constant(value: str | int) -> ColumnElement[Any]:
    """Return a constant as a part of the statement: PyMySQL joins many rows to one INSERT only without parameters."""
    return literal_column(f"'{value}'", String) if isinstance(value, str) else literal_column(str(value))


def _new(*names: str) -> dict[str, Any]:
    return {name: bindparam(f"new_{name}") for name in names}


def _settled(**values: Any) -> Update:
    """Return the UPDATE that ends a lease."""
    return update(authorizations).where(_is_row).values(**_NO_LEASE, **values)


def _unionid_after(unionid: ColumnElement[Any], is_snapshotuser: ColumnElement[Any]) -> ColumnElement[Any]:
    """Say `storage.row`'s rule: a unionid stays where a grant brings none, unless it is of the other kind of user."""
    return func.coalesce(unionid, case((_ROW.is_snapshotuser == is_snapshotuser, _ROW.unionid)))


GET: Select[Any] = select(*AUTHORIZATION_COLUMNS).where(_is_user)
GET_ROWS: Select[Any] = select(*AUTHORIZATION_COLUMNS).where(_is_one_of)

#: In the order of `RedeemedCode`. The digest is all that is asked by: with a bound on the time beside it, a planner
#: whose statistics are a little old may prefer to look through everything that is recent.
FIND_BY_CODE: Select[Any] = select(
    _ROW.appid,
    _ROW.openid,
    _ROW.code_scope,
    # NULL where a version that did not know the column stored the code.
    func.coalesce(_ROW.code_is_snapshotuser, _ROW.is_snapshotuser).label("code_is_snapshotuser"),
    _ROW.code_unionid,
    _ROW.code_binding,
    _ROW.authorized_at,
).where(_ROW.code_digest == bindparam("the_digest"))

# All transactions lock rows in one order, so that two do not wait for each other.
LOCK_ROWS: Select[Any] = (
    select(_ROW.id, _ROW.version, _ROW.lease_owner, _ROW.fallback_refresh_expires_at)
    .where(_is_one_of)
    .order_by(_ROW.id)
    .with_for_update()
)
LOCK_SEALED_ROWS: Select[Any] = select(*SEALED_COLUMNS).where(_is_one_of).order_by(_ROW.id).with_for_update()
SEALED_ROWS: Select[Any] = (
    select(*SEALED_COLUMNS)
    .where(_ROW.id > bindparam("the_id"), _ROW.status != Status.REVOKED.value)
    .order_by(_ROW.id)
    .limit(bindparam("the_limit"))
)
RESEAL = (
    update(authorizations)
    .where(_is_row)
    .values(**_new("access_token", "refresh_token", "fallback_access_token", "fallback_refresh_token"))
)

_REFRESHED = _settled(
    **_new(
        "access_token",
        "refresh_token",
        "scope",
        "refreshed_at",
        "expires_at",
        "refresh_expires_at",
        "next_refresh_at",
    ),
    **_NO_ERROR,
    refresh_failures=0,
)
_FAILED = _settled(
    **_new("last_error_code", "last_error_kind", "last_error_at", "next_refresh_at"),
    refresh_failures=_ROW.refresh_failures + 1,
)
_REJECTED = _settled(
    **_new("last_error_code", "last_error_kind", "last_error_at"),
    **_NO_FALLBACK,
    refresh_failures=_ROW.refresh_failures + 1,
    status=Status.REAUTHORIZATION_REQUIRED.value,
    next_refresh_at=None,
)
#: What a rejection is where a fallback takes over. Databases that make assignments one by one read a column before
#: they clear it.
SUCCEED: Update = (
    update(authorizations)
    .where(_is_row)
    .ordered_values(
        (_ROW.unionid, _unionid_after(_ROW.fallback_unionid, _ROW.fallback_is_snapshotuser)),
        *((_ROW[name], _ROW[f"fallback_{name}"]) for name in FALLBACK_FIELDS if name != "unionid"),
        (
            _ROW.next_refresh_at,
            case((_ROW.next_refresh_at.is_not(None), bindparam("the_moment", type_=_ROW.next_refresh_at.type))),
        ),
        (_ROW.refresh_failures, 0),
        *((_ROW[name], None) for name in ("refreshed_at", *_NO_LEASE, *_NO_ERROR, *_NO_FALLBACK)),
    )
)
_DEFERRED = _settled(**_new("next_refresh_at"))
_RELEASED = _settled()
#: The statement of each kind of outcome; its parameters are `outcome_fields`.
SETTLE: Mapping[type[Outcome], Update] = {
    Refreshed: _REFRESHED,
    Rejected: _REJECTED,
    Failed: _FAILED,
    Deferred: _DEFERRED,
    Released: _RELEASED,
}

_used_at = bindparam("the_used_at", type_=_ROW.last_used_at.type)
_unscheduled = and_(_ROW.next_refresh_at.is_(None), _ROW.status == Status.ACTIVE.value)
TOUCH = (
    update(authorizations)
    .where(_is_user)
    .values(
        last_used_at=case((_ROW.last_used_at < _used_at, _used_at), else_=_ROW.last_used_at),
        next_refresh_at=case(
            (_unscheduled, bindparam("the_next_refresh_at", type_=_ROW.next_refresh_at.type)),
            else_=_ROW.next_refresh_at,
        ),
    )
)

SAVE_PROFILE = (
    update(authorizations)
    .where(_is_user)
    .values(
        **_new("nickname", "avatar_url", "profile_at"),
        unionid=func.coalesce(bindparam("new_unionid", type_=_ROW.unionid.type), _ROW.unionid),
    )
)

SET_EXTERNAL_ID: Update = update(authorizations).where(_is_user).values(**_new("external_id"))
REVOKE = (
    update(authorizations)
    .where(_is_user)
    .values(
        **_NO_LEASE,
        status=Status.REVOKED.value,
        access_token=b"",
        refresh_token=b"",
        next_refresh_at=None,
        code_digest=None,
        code_binding=None,
        code_unionid=None,
        **_NO_FALLBACK,
        version=_ROW.version + 1,
    )
)
ERASE: Delete = delete(authorizations).where(_is_user)
ERASE_ACCOUNT: Delete = delete(authorizations).where(_ROW.appid == bindparam("the_appid"))
ERASE_ACTIVITY: Delete = delete(activity).where(
    activity.c.hour == bindparam("the_hour"), activity.c.appid == bindparam("the_appid")
)
ERASE_EARLIER: Delete = ERASE.where(_ROW.authorized_at < bindparam("the_moment"))

# Counted from indexes alone: reading ten million rows for their status would take minutes. Few users are not active.
COUNT_ALL: Select[Any] = select(_ROW.appid, func.count()).group_by(_ROW.appid)
COUNT_INACTIVE: Select[Any] = (
    select(_ROW.appid, _ROW.status, func.count())
    .where(_ROW.status != _constant(Status.ACTIVE.value))
    .group_by(_ROW.appid, _ROW.status)
)

LAST_ID: Select[Any] = select(func.max(_ROW.id))
RESCHEDULE: Update = (
    update(authorizations)
    .where(
        _ROW.id > bindparam("the_id"),
        _ROW.id <= bindparam("the_last_id"),
        _ROW.next_refresh_at > bindparam("the_due_at"),
        func.coalesce(_ROW.refreshed_at, _ROW.authorized_at) > bindparam("the_moment"),
    )
    .values(next_refresh_at=bindparam("the_due_at"))
)

#: In the order of `Activity`.
READ_ACTIVITY: Select[Any] = (
    select(activity.c.hour, activity.c.appid, activity.c.kind, activity.c.errcode, activity.c["count"])
    .where(activity.c.hour >= bindparam("the_hour"))
    .order_by(activity.c.hour, activity.c.appid, activity.c.kind, activity.c.errcode)
)


class Statements:
    """The statements that databases word differently.

    Attributes:
        save: Inserts a grant, or lets it take its place in the row there is.
        count: Adds to a count of activity.
        claim_user: Leases the authorization of a user, if it is free.
        claim_row: Leases a row that is still at a version, if it is free.
        claim_rows: Leases rows that are locked already.
        due: Selects rows to refresh, the longest due first.
        due_locked: The same; locks them and leaves out what others have locked.
    """

    def __init__(self, dialect: Dialect) -> None:
        now = dialect.now()
        active = _ROW.status == Status.ACTIVE.value
        # Not <=: a lease begun late in a second would end up to a second early.
        is_void = _ROW.lease_until > now + _constant(LONGEST_LEASE_SECONDS)
        is_free = and_(active, or_(_ROW.lease_until.is_(None), _ROW.lease_until < now, is_void))
        lease = update(authorizations).values(
            lease_owner=bindparam("the_owner"),
            lease_until=now + bindparam("the_ttl", type_=_ROW.lease_until.type),
            version=_ROW.version + 1,
        )
        self.save: Insert = dialect.upsert(authorizations, (_ROW.openid, _ROW.appid), _values_on_conflict)
        self.count: Insert = dialect.upsert(activity, tuple(activity.primary_key), _added)
        self.claim_user: Update = lease.where(_is_user, is_free)
        self.claim_row: Update = lease.where(_is_row, _ROW.version == bindparam("the_version"), is_free)
        self.claim_rows: Update = lease.where(_is_one_of)
        due = (
            select(*AUTHORIZATION_COLUMNS)
            .where(_ROW.appid == bindparam("the_appid"), _ROW.next_refresh_at <= bindparam("the_due_at"), is_free)
            .order_by(_ROW.next_refresh_at, _ROW.id)
            .limit(bindparam("the_limit"))
        )
        # Most users have no schedule; where NULL sorts first, they stand before all that are due.
        self.due: Select[Any] = force_index(due, authorizations, _ROW.appid, _ROW.next_refresh_at, _ROW.id)
        self.due_locked: Select[Any] = self.due.with_for_update(skip_locked=True)


def _values_on_conflict(incoming: Any) -> list[tuple[Column[Any], ColumnElement[Any]]]:
    """Return the assignments by which a grant takes its place in the row there is.

    The scope comes first. MySQL and MariaDB make assignments one by one and evaluate `kept` again for each of them;
    the scope alone answers then as it did at first: a narrow grant has either left a wide one in place, or made it
    narrow.
    """
    alive = and_(_ROW.status == _constant(Status.ACTIVE.value), _ROW.refresh_expires_at > incoming.authorized_at)
    kept = and_(_is_wide(_ROW.scope), ~_is_wide(incoming.scope), alive)
    replaced: list[tuple[Column[Any], ColumnElement[Any]]] = [
        (_ROW.unionid, _unionid_after(incoming.unionid, incoming.is_snapshotuser)),
        *((_ROW[name], incoming[name]) for name in _GRANTED),
        (_ROW.status, _constant(Status.ACTIVE.value)),
        (_ROW.version, _ROW.version + _constant(1)),
        (_ROW.refresh_failures, _constant(0)),
        *((_ROW[name], null()) for name in ("refreshed_at", *_NO_LEASE, *_NO_ERROR)),
    ]
    return [
        (_ROW.scope, case((kept, _ROW.scope), else_=incoming.scope)),
        # Before the columns they are of: MariaDB takes the incoming value of a BLOB for the stored one as soon as that
        # was assigned to itself.
        *((_ROW[f"fallback_{name}"], case((kept, incoming[name]))) for name in FALLBACK_FIELDS),
        *((column, case((kept, column), else_=value)) for column, value in replaced),
        *((_ROW[name], incoming[name]) for name in _ALWAYS_TAKEN),
    ]


_GRANTED: Sequence[str] = (
    "is_snapshotuser",
    "access_token",
    "refresh_token",
    "expires_at",
    "refresh_expires_at",
    "next_refresh_at",
)
_ALWAYS_TAKEN: Sequence[str] = (
    "code_digest",
    "code_binding",
    "code_scope",
    "code_unionid",
    "code_is_snapshotuser",
    "authorized_at",
    "last_used_at",
)


def _is_wide(scope: ColumnElement[str]) -> ColumnElement[bool]:
    """Return `storage.grants.is_wide` in SQL. No scope was ever stored with other white space than spaces."""
    comma = _constant(",")
    names = func.replace(scope, _constant(" "), comma, type_=String)
    return (comma + names + comma).like(_constant(f"%,{WIDE_SCOPE.replace('_', '/_')},%"), escape="/")


def _added(incoming: Any) -> list[tuple[Column[Any], ColumnElement[Any]]]:
    return [(activity.c["count"], activity.c["count"] + incoming["count"])]
