"""A user: everything that is known but the tokens, and what can be done about it."""

import asyncio
from http import HTTPStatus

from admin.labels.users import (
    ACTION_LABELS,
    ACTION_MEANINGS,
    SCOPE_LABELS,
    STATUS_BADGES,
    STATUS_LABELS,
)
from admin.services import ActionOutcome, ActionResult
from admin.users.audit_actions import AUDIT_ACTIONS
from admin.users.audited_action import perform_audited
from admin.users.possible_actions import possible_actions
from admin.users.timeline import MOST_ROWS, timeline_of
from admin.web.avatars import avatar_of
from admin.web.errors import PageError
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.i18n import N_
from admin.web.inputs import parse_text
from admin.web.links import user_path
from admin.web.notices import Notice
from storage.grants import is_wide, scope_names
from storage.sql.accounts.audit import AuditPage, AuditQuery, AuditResult, NewAuditEntry
from storage.sql.accounts.operators import Role
from storage.sql.work.jobs import JobAction
from storage.user_search import SearchField, TextMatch, UserFilter, UserQuery
from storage.users import AuthorizedUser, Status

__all__ = ["routes"]

_OTHERS = 20


class UserHandler(AdminHandler):
    """`GET /admin/users/{appid}/{openid}`: a user."""

    requires = Role.VIEWER

    async def get(self, appid: str, openid: str) -> None:
        """Show everything but the tokens."""
        user = await self.services.vault.get(parse_text(appid), parse_text(openid))
        if user is None:
            raise PageError(HTTPStatus.NOT_FOUND, N_("There is no such user."))
        others, entries, history = await asyncio.gather(
            self._others(user), self._entries(user), self.run(self.services.user_history.of, user.appid, user.openid)
        )
        self.render(
            "users/user.html",
            user=user,
            path=user_path(appid, openid),
            path_of=user_path,
            avatar=avatar_of(user.avatar_url),
            account=self.services.account_names.get(appid, appid),
            others=others,
            timeline=timeline_of(
                user,
                history,
                entries.entries,
                lambda errcode: self.explain(errcode, "refresh_token"),
                self.locale.translate,
            ),
            has_more_entries=entries.next_cursor is not None,
            statuses=STATUS_LABELS,
            badges=STATUS_BADGES,
            scopes=SCOPE_LABELS,
            scope_names=lambda scope: sorted(scope_names(scope)),
            actions=ACTION_LABELS,
            meanings=ACTION_MEANINGS,
            possible=possible_actions(user.status),
            harmless=(JobAction.REFRESH, JobAction.CHECK, JobAction.PROFILE),
            authorize_link=self._authorize_link(user),
        )

    def _authorize_link(self, user: AuthorizedUser) -> str:
        """Return where a user whose authorization has ended gives a new one; empty for any other."""
        if user.status is Status.ACTIVE:
            return ""
        return self.services.accounts.authorize_link(user.appid, profile=is_wide(user.scope))

    async def _others(self, user: AuthorizedUser) -> list[AuthorizedUser]:
        """Return the same person at other accounts. A snapshot user is nobody: their unionids collide."""
        search = self.services.user_search
        if user.unionid is None or user.is_snapshotuser or search is None:
            return []
        wanted = UserFilter(searched=TextMatch(SearchField.UNIONID, user.unionid))
        found = await self.run(search.page, UserQuery(filter=wanted, limit=_OTHERS))
        return [other for other in found.users if other.id != user.id]

    async def _entries(self, user: AuthorizedUser) -> AuditPage:
        if not self.may(Role.OPERATOR):
            return AuditPage([], None)
        query = AuditQuery(appid=user.appid, openid=user.openid, limit=MOST_ROWS)
        return await self.run(self.services.audit.page, query)


class UserActionHandler(AdminHandler):
    """`POST /admin/users/{appid}/{openid}/{action}`: performs an action on a user, and says how it ended."""

    requires = Role.OPERATOR

    async def post(self, appid: str, openid: str, action: str) -> None:
        """Do it, write it down, and go back to the user, or to the list when there is none any more."""
        wanted, appid, openid = JobAction(action), parse_text(appid), parse_text(openid)
        if wanted is JobAction.ERASE and self.get_body_argument("confirmation", "") != openid:
            self.redirect_with_notice(user_path(appid, openid), Notice.ERASURE_NOT_CONFIRMED)
            return

        def entry_for(outcome: ActionOutcome) -> NewAuditEntry:
            return self.audit_entry(
                AUDIT_ACTIONS[wanted],
                result=AuditResult.SUCCESS if outcome.succeeded else AuditResult.FAILED,
                appid=appid,
                openid=openid,
                outcome=outcome.result,
                errcode=outcome.errcode,
            )

        outcome = await perform_audited(self.services, wanted, (appid, openid), entry_for)
        is_gone = outcome.result in {ActionResult.ERASED, ActionResult.UNKNOWN_USER}
        self.redirect_with_outcome("/admin/users" if is_gone else user_path(appid, openid), outcome)


routes: list[AdminRoute] = [
    (r"/admin/users/([^/]+)/([^/]+)", UserHandler),
    (rf"/admin/users/([^/]+)/([^/]+)/({'|'.join(JobAction)})", UserActionHandler),
]
