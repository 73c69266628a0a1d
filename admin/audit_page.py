"""The audit log: who did what to whom, from where, and how it ended."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from tornado.iostream import StreamClosedError

from admin.labels.audit import AUDIT_ACTION_LABELS, AUDIT_RESULT_LABELS, describe_entry
from admin.lists.counts import count_in_time, count_text
from admin.lists.paging import Leaf, Place
from admin.lists.short_address import redirect_to_short_address
from admin.lists.time_range_filter import TimeRangeFilter
from admin.web.errors import PageError
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.inputs import parse_text
from admin.web.links import link, user_path
from admin.web.spreadsheet import BYTE_ORDER_MARK, csv_line
from storage.sql.accounts.audit import AuditAction, AuditEntry, AuditQuery
from storage.sql.accounts.operators import Role
from storage.user_search import CappedCount

__all__ = ["routes"]

_PAGE_SIZE = 50
_EXPORT_BATCH = 1000
_COLUMNS = (
    "time (UTC)",
    "operator",
    "action",
    "result",
    "appid",
    "openid",
    "subject",
    "address",
    "user agent",
    "request id",
    "details",
)
_TIME = TimeRangeFilter("time", "from", "to")
#: The fields of the filter, each an argument of the page's address.
_FILTERS = ("operator", "action", "result", "appid", "openid", *_TIME.names)


class _FilteredHandler(AdminHandler):
    """About the entries that the address's arguments match."""

    requires = Role.OPERATOR

    def query(self) -> AuditQuery:
        """Return the query of the address.

        Raises:
            PageError: A value is not valid.
        """
        given = self.given()
        span = _TIME.read(given, self.page_time)
        return AuditQuery(
            operator=given["operator"] or None,
            action=given["action"] or None,
            result=given["result"] or None,
            appid=given["appid"] or None,
            openid=given["openid"] or None,
            since=span.since,
            until=span.until,
        )

    def given(self) -> dict[str, str]:
        """Return the filter as it was typed."""
        return {name: parse_text(self.get_query_argument(name, "")) for name in _FILTERS}


class AuditHandler(_FilteredHandler):
    """`GET /admin/audit`: the log, the newest entries first."""

    requires = Role.OPERATOR

    async def get(self) -> None:
        """Show a page of it."""
        if redirect_to_short_address(self):
            return
        try:
            query, place = self.query(), Place.read(lambda name: self.get_query_argument(name, ""))
            after = place.after_number()
        except PageError as error:
            self.set_status(error.status_code)
            await self._show(Leaf(()), problem=error.text)
            return
        asked = replace(query, after=after, descending=not place.is_backward, limit=_PAGE_SIZE)
        found, count = await asyncio.gather(
            self.run(self.services.audit.page, asked), self.run(count_in_time, self.services.audit.count, query)
        )
        page = place.turn(
            found.entries,
            _PAGE_SIZE,
            has_more=found.next_cursor is not None,
            place_of=lambda entry: entry.place,
            arguments=list(self.given().items()),
        )
        await self._show(page, count)

    async def _show(self, page: Leaf[AuditEntry], count: CappedCount | None = None, *, problem: str = "") -> None:
        """Show entries with the form that asked for them, or what is wrong with the form."""
        operators = await self.run(self.services.operators.list)
        self.render(
            "audit.html",
            page=page,
            count=count,
            count_text=count_text,
            problem=problem,
            list_path=self.request.path,
            given=self.given(),
            span=_TIME,
            operators=[operator.name for operator in operators],
            actions=AUDIT_ACTION_LABELS,
            results=AUDIT_RESULT_LABELS,
            path_of=user_path,
            describe=lambda entry: describe_entry(entry, self.locale.translate),
        )


class AuditExportHandler(_FilteredHandler):
    """`GET /admin/audit.csv`: every entry that the filter matches, as CSV, however many there are."""

    requires = Role.OPERATOR

    async def get(self) -> None:
        """Write it in batches, so that memory does not grow with the log."""
        query = replace(self.query(), limit=_EXPORT_BATCH)
        await self.audit(AuditAction.AUDIT_EXPORT, filter=link("", *self.given().items())[1:])
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="audit-log.csv"')
        self.write(BYTE_ORDER_MARK + csv_line(_COLUMNS))
        more = True
        try:
            while more:
                page = await self.run(self.services.audit.page, query)
                self.write(b"".join(_lines(page.entries)))
                await self.flush()
                query = replace(query, after=page.next_cursor)
                more = page.next_cursor is not None
        except StreamClosedError:
            return  # the browser has gone


def _lines(entries: list[AuditEntry]) -> Iterator[bytes]:
    for entry in entries:
        yield csv_line(
            (
                f"{datetime.fromtimestamp(entry.at, UTC):%Y-%m-%d %H:%M:%S}",
                entry.operator,
                entry.action,
                entry.result,
                entry.appid,
                entry.openid,
                entry.subject,
                entry.address,
                entry.user_agent,
                entry.request_id,
                json.dumps(entry.details, ensure_ascii=False) if entry.details else "",
            )
        )


routes: list[AdminRoute] = [
    (r"/admin/audit", AuditHandler),
    (r"/admin/audit\.csv", AuditExportHandler),
]
