"""The audit log: who did what to whom, from where, and how it ended. Entries are added and, when old, trimmed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, insert, select

from storage.sql.core.conditions import is_beyond, is_within
from storage.sql.core.engine import Database
from storage.sql.core.schema import audit_log
from storage.sql.counts import count_up_to
from storage.user_search import CappedCount

__all__ = [
    "COMMAND_LINE",
    "IDENTITY_PROVIDER",
    "AuditAction",
    "AuditEntry",
    "AuditLog",
    "AuditPage",
    "AuditQuery",
    "AuditResult",
    "NewAuditEntry",
    "audit_values",
    "write_entry",
]

#: What the columns hold; longer texts are cut, since an entry must never fail for what a browser calls itself.
_SUBJECT_LENGTH = 128
_ADDRESS_LENGTH = 64
_USER_AGENT_LENGTH = 255

_ROW = audit_log.c


class AuditAction(StrEnum):
    """The actions that are recorded."""

    SIGN_IN = "sign_in"
    SIGN_IN_UNLOCK = "sign_in_unlock"
    SIGN_OUT = "sign_out"
    SESSION_END = "session_end"
    FACTOR_ADD = "factor_add"
    FACTOR_REMOVE = "factor_remove"
    RECOVERY_CODES = "recovery_codes"
    PASSWORD_CHANGE = "password_change"  # noqa: S105 - the name of an action
    USER_REFRESH = "user_refresh"
    USER_CHECK = "user_check"
    USER_PROFILE = "user_profile"
    USER_REVOKE = "user_revoke"
    USER_ERASE = "user_erase"
    USER_PROFILE_DROP = "user_profile_drop"
    USERS_EXPORT = "users_export"
    JOB_START = "job_start"
    JOB_PAUSE = "job_pause"
    JOB_RESUME = "job_resume"
    JOB_STOP = "job_stop"
    AUDIT_EXPORT = "audit_export"
    OPERATOR_ADD = "operator_add"
    OPERATOR_ROLE = "operator_role"
    OPERATOR_DISABLE = "operator_disable"
    OPERATOR_ENABLE = "operator_enable"
    OPERATOR_FACTORS = "operator_factors"
    OPERATOR_PASSWORD = "operator_password"  # noqa: S105 - the name of an action
    API_KEY_ADD = "api_key_add"
    API_KEY_REVOKE = "api_key_revoke"
    ACCOUNT_CHECK = "account_check"
    ACCOUNT_TOKEN_FORCE = "account_token_force"  # noqa: S105 - the name of an action
    ACCESS = "access"


#: Who acts when it is not somebody signed in to the dashboard. No operator's name may hold a space or a bracket.
COMMAND_LINE = "(command line)"
IDENTITY_PROVIDER = "(identity provider)"


class AuditResult(StrEnum):
    """How it ended."""

    SUCCESS = "success"
    #: It was not allowed: a wrong password, a role that does not suffice.
    REFUSED = "refused"
    #: It was allowed and did not work.
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAuditEntry:
    """An entry to record.

    Attributes:
        operator: The name; empty where the client is not signed in.
        action: An `AuditAction`, or the word of another version.
        result: An `AuditResult`, the same.
        appid: The account it was about; empty for none.
        openid: The user it was about; empty for none.
        subject: What else it was about: an operator, an API key.
        request_id: What the answer's and the log's lines of the same request carry.
        details: More, for people; never a secret, a token or a password.
    """

    at: int
    operator: str
    action: str
    result: str
    appid: str = ""
    openid: str = ""
    subject: str = ""
    address: str = ""
    user_agent: str = ""
    request_id: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry(NewAuditEntry):
    """An entry of the log."""

    id: int

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands in the log's order."""
        return self.at, self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which entries, the newest first unless told otherwise.

    Attributes:
        since: From this second on.
        until: Before this second.
        after: Where to go on, the `next_cursor` of the page before.
        descending: Whether the newest entries come first.
    """

    operator: str | None = None
    action: str | None = None
    result: str | None = None
    appid: str | None = None
    openid: str | None = None
    since: int | None = None
    until: int | None = None
    after: tuple[int, int] | None = None
    descending: bool = True
    limit: int = 50


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, and where the next ones begin; None at the end."""

    entries: list[AuditEntry]
    next_cursor: tuple[int, int] | None


class AuditLog:
    """Keeps the log. There is no way to change an entry.

    Args:
        database: Where it is kept.
        trim_batch: Entries deleted in one transaction: a long one would hold up writers.
        count_seconds: How long a count may take.
    """

    def __init__(self, database: Database, *, trim_batch: int = 1000, count_seconds: float = 2.0) -> None:
        self._database = database
        self._trim_batch = trim_batch
        self._count_seconds = count_seconds

    def record(self, entry: NewAuditEntry) -> None:
        """Write an entry; when this returns, it is committed."""
        values = audit_values(entry)
        self._database.write(lambda connection: connection.execute(insert(audit_log), values))

    def page(self, query: AuditQuery) -> AuditPage:
        """Return some entries."""
        wanted = _selected(query).limit(query.limit + 1)
        rows = self._database.read(lambda connection: connection.execute(wanted).all())
        entries = [_entry(row) for row in rows[: query.limit]]
        return AuditPage(entries, entries[-1].place if len(rows) > query.limit else None)

    def count(self, query: AuditQuery) -> CappedCount:
        """Count the entries of all pages, up to a cap.

        Raises:
            StoreTooSlow: That takes too long.
        """
        conditions = _conditions(query)
        return self._database.read_within(
            self._count_seconds, lambda connection: count_up_to(connection, audit_log, conditions)
        )

    def trim(self, before: int) -> int:
        """Delete entries older than a moment, in small transactions; return how many there were."""
        oldest = select(_ROW.id).where(_ROW.at < before).order_by(_ROW.at, _ROW.id).limit(self._trim_batch)
        deleted = 0
        while ids := list(self._database.read(lambda connection: connection.execute(oldest).scalars())):
            deleted += self._delete(ids)
        return deleted

    def _delete(self, ids: Sequence[int]) -> int:
        gone = delete(audit_log).where(_ROW.id.in_(ids))
        return self._database.write(lambda connection: connection.execute(gone).rowcount)


def write_entry(connection: Connection, entry: NewAuditEntry | None) -> None:
    """Write an entry, if there is one, in the transaction that makes the change it tells of."""
    if entry is not None:
        connection.execute(insert(audit_log), audit_values(entry))


def audit_values(entry: NewAuditEntry) -> dict[str, Any]:
    """Return an entry as a row, for a transaction that writes it together with what it tells."""
    return {
        "at": entry.at,
        "operator": entry.operator,
        "action": entry.action,
        "result": entry.result,
        "appid": entry.appid,
        "openid": entry.openid,
        "subject": entry.subject[:_SUBJECT_LENGTH],
        "address": entry.address[:_ADDRESS_LENGTH],
        "user_agent": entry.user_agent[:_USER_AGENT_LENGTH],
        "request_id": entry.request_id,
        "details": json.dumps(dict(entry.details), ensure_ascii=False),
    }


def _selected(query: AuditQuery) -> Select[Any]:
    order = [_ROW.at.desc(), _ROW.id.desc()] if query.descending else [_ROW.at, _ROW.id]
    wanted = select(audit_log).where(*_conditions(query)).order_by(*order)
    if query.after is not None:
        wanted = wanted.where(is_beyond(_ROW.at, _ROW.id, query.after, descending=query.descending))
    return wanted


def _conditions(query: AuditQuery) -> list[ColumnElement[bool]]:
    given = {name: getattr(query, name) for name in ("operator", "action", "result", "appid", "openid")}
    equal = [_ROW[name] == value for name, value in given.items() if value is not None]
    return [*equal, *is_within(_ROW.at, query.since, query.until)]


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=row.at,
        operator=row.operator,
        action=row.action,
        result=row.result,
        appid=row.appid,
        openid=row.openid,
        subject=row.subject,
        address=row.address,
        user_agent=row.user_agent,
        request_id=row.request_id,
        details=json.loads(row.details),
    )
