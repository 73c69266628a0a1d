"""The list of users: filtered, searched, a page at a time; and the same users as CSV."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus

from tornado.iostream import StreamClosedError

from admin.labels.users import (
    ACTION_LABELS,
    FILTER_LABELS,
    SCOPE_LABELS,
    SEARCH_FIELD_LABELS,
    SORT_LABELS,
    STATUS_BADGES,
    STATUS_LABELS,
)
from admin.lists.counts import count_in_time, count_text
from admin.lists.paging import Leaf
from admin.lists.short_address import redirect_to_short_address
from admin.users.filters import TIME_RANGES, Listing
from admin.users.possible_actions import possible_actions
from admin.web.errors import PageError
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.i18n import N_
from admin.web.links import link, user_path
from admin.web.spreadsheet import BYTE_ORDER_MARK, csv_line, csv_lines
from storage.grants import scope_names
from storage.sql.accounts.audit import AuditAction
from storage.sql.accounts.operators import Role
from storage.user_search import MAX_PAGE, CappedCount, Filter, UserPage, UserQuery, UserSearch, UserSort
from storage.users import AuthorizedUser

__all__ = ["routes"]

_PAGE_SIZE = 50

#: What an export has of each user. No token, not even a part of one.
_COLUMNS = (
    "appid",
    "openid",
    "unionid",
    "nickname",
    "scope",
    "status",
    "snapshot user",
    "first authorized (UTC)",
    "authorized (UTC)",
    "refreshed (UTC)",
    "used (UTC)",
    "access token ends (UTC)",
    "refresh token ends (UTC)",
    "next refresh (UTC)",
    "failures",
    "last errcode",
    "last error (UTC)",
    "avatar",
    "external id",
)


class UsersHandler(AdminHandler):
    """`GET /admin/users`: the users that the address's filter matches."""

    requires = Role.VIEWER

    async def get(self) -> None:
        """Show a page of them."""
        search = user_search_of(self)
        if redirect_to_short_address(self):
            return
        try:
            asked = Listing.read(lambda name: self.get_query_argument(name, ""), self.page_time)
        except PageError as error:
            self.set_status(error.status_code)
            asked = Listing.unread(lambda name: self.get_query_argument(name, ""))
            self._show(asked, asked, Leaf(()), problem=error.text)
            return
        listing, query, found = await self.run(_first_found, search, asked)
        count = await self.run(count_in_time, search.count, listing.filter)
        self._show(asked, listing, listing.turn(query, found), count)

    def _show(
        self,
        asked: Listing,
        listing: Listing,
        page: Leaf[AuthorizedUser],
        count: CappedCount | None = None,
        *,
        problem: str = "",
    ) -> None:
        """Show users with the form that asked for them, or what is wrong with the form."""
        search = user_search_of(self)
        self.render(
            "users/list.html",
            asked_by=asked.given["by"],
            problem=problem,
            count_text=count_text,
            listing=listing,
            page=page,
            list_path=self.request.path,
            ranges=[span for name, span in TIME_RANGES.items() if name in search.filters],
            legends=FILTER_LABELS,
            count=count,
            accounts=self.services.account_names,
            statuses=STATUS_LABELS,
            badges=STATUS_BADGES,
            scopes=SCOPE_LABELS,
            scope_names=lambda scope: sorted(scope_names(scope)),
            supported=search.filters,
            search_label=" / ".join(
                self.locale.translate(label)
                for field, label in SEARCH_FIELD_LABELS.items()
                if search.filters & {Filter(field), Filter(f"{field}_prefix")}
            ),
            search_fields={
                field: label
                for field, label in SEARCH_FIELD_LABELS.items()
                if search.filters & {Filter(field), Filter(f"{field}_prefix")}
            },
            sorts={UserSort(sort): label for sort, label in SORT_LABELS.items() if sort in search.sorts},
            actions={action: ACTION_LABELS[action] for action in possible_actions(listing.filter.status)},
            path_of=user_path,
            pick_of=lambda user: json.dumps([user.appid, user.openid]),
        )


class UsersExportHandler(AdminHandler):
    """`GET /admin/users.csv`: every user that the filter matches, however many there are."""

    requires = Role.OPERATOR

    async def get(self) -> None:
        """Write them in batches, so that memory does not grow with their number."""
        search = user_search_of(self)
        listing = Listing.read(lambda name: self.get_query_argument(name, ""), self.page_time)
        query = listing.query(MAX_PAGE)
        page = await self.run(search.page, query)  # before anything is sent: it may be too slow
        await self.audit(AuditAction.USERS_EXPORT, filter=link("", *listing.given.items())[1:])
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="users.csv"')
        self.write(BYTE_ORDER_MARK + csv_line(_COLUMNS))
        try:
            while True:
                self.write(await self.run(_lines, page.users))
                await self.flush()
                if page.next_cursor is None:
                    return
                query = replace(query, after=page.next_cursor)
                page = await self.run(search.page, query)
        except StreamClosedError:
            return  # the browser has gone


def user_search_of(handler: AdminHandler) -> UserSearch:
    """Return what lists users.

    Raises:
        PageError: The token store cannot.
    """
    search = handler.services.user_search
    if search is None:
        raise PageError(HTTPStatus.NOT_IMPLEMENTED, N_("The token store in use cannot list users."))
    return search


def _first_found(search: UserSearch, asked: Listing) -> tuple[Listing, UserQuery, UserPage]:
    """Return the first meaning of a listing that finds anybody, with its query and what that found.

    Where none does, return the listing as it was asked for.
    """
    query, found = asked.query(_PAGE_SIZE), UserPage((), None)
    for guess in asked.guesses(search.filters):
        query = guess.query(_PAGE_SIZE)
        found = search.page(query)
        if found.users:
            return guess, query, found
    return asked, query, found


def _lines(users: tuple[AuthorizedUser, ...]) -> bytes:
    return csv_lines(_cells(user) for user in users)


def _cells(user: AuthorizedUser) -> Iterator[str | int | None]:
    yield from (user.appid, user.openid, user.unionid, user.nickname, user.scope, user.status)
    yield "yes" if user.is_snapshotuser else "no"
    yield from map(
        _moment,
        (
            user.first_authorized_at,
            user.authorized_at,
            user.refreshed_at,
            user.last_used_at,
            user.expires_at,
            user.refresh_expires_at,
            user.next_refresh_at,
        ),
    )
    yield from (user.refresh_failures, user.last_error_code, _moment(user.last_error_at), user.avatar_url)
    yield user.external_id


def _moment(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(" ")[:19]


routes: list[AdminRoute] = [
    (r"/admin/users", UsersHandler),
    (r"/admin/users\.csv", UsersExportHandler),
]
