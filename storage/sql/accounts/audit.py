"""The audit log: who did what to whom, from where, and how it ended. Entries are added and, when old, trimmed."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select

from storage.base.errors import InvalidRecord
from storage.sql.core.conditions import is_beyond, is_within
from storage.sql.core.engine import Database
from storage.sql.core.schema import audit_log

__all__ = [
    "COMMAND_LINE",
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

#: Time and id of the last entry of a page; 18 digits fit into 64 bits.
_CURSOR = re.compile(r"(\d{1,18})\.(\d{1,18})", re.ASCII)

_ROW = audit_log.c


class AuditAction(StrEnum):
    """The actions that are recorded."""

    SIGN_IN = "sign_in"
    SIGN_IN_UNLOCK = "sign_in_unlock"
    SIGN_OUT = "sign_out"
    SESSION_END = "session_end"
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
    OPERATOR_PASSWORD = "operator_password"  # noqa: S105 - the name of an action
    API_KEY_ADD = "api_key_add"
    API_KEY_REVOKE = "api_key_revoke"
    ACCOUNT_CHECK = "account_check"
    ACCESS = "access"


#: Who acts when it is not somebody signed in to the dashboard. No operator's name may hold a space or a bracket.
COMMAND_LINE = "(command line)"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which entries, the newest first.

    Attributes:
        since: From this second on.
        until: Before this second.
        cursor: Where to go on, from `AuditPage.next_cursor`.
    """

    operator: str | None = None
    action: str | None = None
    result: str | None = None
    appid: str | None = None
    openid: str | None = None
    since: int | None = None
    until: int | None = None
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, and where the next ones begin; None at the end."""

    entries: list[AuditEntry]
    next_cursor: str | None


class AuditLog:
    """Keeps the log. There is no way to change an entry.

    Args:
        database: Where it is kept.
        trim_batch: Entries deleted in one transaction: a long one would hold up writers.
    """

    def __init__(self, database: Database, *, trim_batch: int = 1000) -> None:
        self._database = database
        self._trim_batch = trim_batch

    def record(self, entry: NewAuditEntry) -> None:
        """Write an entry; when this returns, it is committed."""
        values = audit_values(entry)
        self._database.write(lambda connection: connection.execute(insert(audit_log), values))

    def page(self, query: AuditQuery) -> AuditPage:
        """Return some entries, the newest first.

        Raises:
            InvalidRecord: The cursor is not one that `next_cursor` returned.
        """
        wanted = _selected(query).limit(query.limit + 1)
        rows = self._database.read(lambda connection: connection.execute(wanted).all())
        entries = [_entry(row) for row in rows[: query.limit]]
        return AuditPage(entries, f"{entries[-1].at}.{entries[-1].id}" if len(rows) > query.limit else None)

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
    wanted = select(audit_log).order_by(_ROW.at.desc(), _ROW.id.desc())
    for name in ("operator", "action", "result", "appid", "openid"):
        value = getattr(query, name)
        if value is not None:
            wanted = wanted.where(_ROW[name] == value)
    wanted = wanted.where(*is_within(_ROW.at, query.since, query.until))
    if query.cursor is not None:
        wanted = wanted.where(is_beyond(_ROW.at, _ROW.id, _position(query.cursor), descending=True))
    return wanted


def _position(cursor: str) -> tuple[int, int]:
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise InvalidRecord("This is not a cursor of the audit log.")
    return int(match[1]), int(match[2])


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
