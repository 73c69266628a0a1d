"""A user's timeline: what their row tells, what was counted by the day, and what operators did, the newest first."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from admin.labels.audit import describe_entry
from admin.labels.users import EVENT_LABELS, TimelineEvent
from admin.services import ErrcodeText
from admin.web.i18n import N_
from storage.sql.accounts.audit import AuditEntry
from storage.sql.accounts.user_history import HistoryKind, UserHistoryEntry
from storage.users import AuthorizedUser

__all__ = ["MOST_ROWS", "TimelineRow", "timeline_of"]

#: Rows that a page shows.
MOST_ROWS = 50


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """Something that happened to a user, in its reader's language.

    Attributes:
        by: Who did it, an operator or an API key; empty for the user, WeChat and the service.
        badge: How it looks; see `.badge` in the stylesheet.
        result: How it ended; empty where it just happened.
    """

    at: int
    what: str
    by: str = ""
    result: str = ""
    badge: str = ""
    details: Sequence[tuple[str, str]] = ()


def timeline_of(
    user: AuthorizedUser,
    history: Iterable[UserHistoryEntry],
    entries: Iterable[AuditEntry],
    explain: Callable[[int | None], ErrcodeText],
    translate: Callable[[str], str],
) -> list[TimelineRow]:
    """Put together what happened to a user, at most `MOST_ROWS`.

    Args:
        user: Their row, which tells of the last authorization, refresh and failure.
        history: What was counted by the day.
        entries: What the audit log says of them.
        explain: Returns what the errcode of a failed refresh means.
        translate: Translates the words of pages.
    """
    rows = [
        *_of_row(user, translate),
        *(_of_history(one, explain, translate) for one in history),
        *(_of_audit(one, translate) for one in entries),
    ]
    return sorted(rows, key=lambda row: row.at, reverse=True)[:MOST_ROWS]


def _of_row(user: AuthorizedUser, translate: Callable[[str], str]) -> Iterable[TimelineRow]:
    moments = {TimelineEvent.FIRST_AUTHORIZED: user.first_authorized_at}
    if user.authorized_at != user.first_authorized_at:
        moments[TimelineEvent.AUTHORIZED] = user.authorized_at
    if user.refreshed_at is not None:
        moments[TimelineEvent.REFRESHED] = user.refreshed_at
    return (TimelineRow(at, translate(EVENT_LABELS[event])) for event, at in moments.items())


def _of_history(
    one: UserHistoryEntry, explain: Callable[[int | None], ErrcodeText], translate: Callable[[str], str]
) -> TimelineRow:
    often = [(translate(N_("Times on this day (UTC)")), f"{one.count:,}")]
    if one.kind is HistoryKind.TOKEN_READ:
        return TimelineRow(one.last_at, translate(EVENT_LABELS[TimelineEvent.TOKEN_READ]), by=one.name, details=often)
    explained = explain(int(one.name) if one.name else None).summary
    details = [(translate(N_("Errcode")), f"{one.name} {explained}".strip())]
    details += [("rid", one.rid)] if one.rid else []
    return TimelineRow(
        one.last_at,
        translate(EVENT_LABELS[TimelineEvent.REFRESH_FAILED]),
        result=translate(N_("Failed")),
        badge="bad",
        details=[*details, *often],
    )


def _of_audit(entry: AuditEntry, translate: Callable[[str], str]) -> TimelineRow:
    words = describe_entry(entry, translate)
    return TimelineRow(entry.at, words.action, words.operator, words.result, words.badge, words.details)
