"""A user: everything that is known but the tokens, and what can be done about it."""

import asyncio
from http import HTTPStatus
from typing import Any

from tornado.escape import url_escape

from admin.labels.audit import ACTIONS, RESULT_BADGES, RESULTS
from admin.labels.users import ACTION_LABELS, ACTION_MEANINGS, OUTCOMES, SCOPES, STATUS_BADGES, STATUSES
from admin.user_actions import AUDIT_ACTIONS, UserActions
from admin.web.avatars import avatar_of
from admin.web.handler import AdminHandler, AdminRoute, Refused
from storage.sql.accounts.audit import AuditPage, AuditQuery, AuditResult
from storage.sql.accounts.operators import Role
from storage.sql.work.jobs import JobAction
from storage.user_search import Searched, SearchField, UserFilter, UserSearch
from storage.users import AuthorizedUser

__all__ = ["routes", "user_path"]

_OTHERS = 20
_ENTRIES = 20


class UserHandler(AdminHandler):
    """`GET /admin/users/{appid}/{openid}`: a user."""

    requires = Role.VIEWER

    async def get(self, appid: str, openid: str) -> None:
        """Show everything but the tokens."""
        user = await self.services.vault.get(appid, openid)
        if user is None:
            raise Refused(HTTPStatus.NOT_FOUND, "There is no such user.")
        others, entries = await asyncio.gather(self._others(user), self._entries(user))
        self.render(
            "users/user.html",
            user=user,
            path=user_path(appid, openid),
            path_of=user_path,
            avatar=avatar_of(user.avatar_url),
            account=next((one.name for one in self.services.accounts if one.appid == appid), appid),
            others=others,
            entries=entries,
            statuses=STATUSES,
            badges=STATUS_BADGES,
            scopes=SCOPES,
            actions=ACTION_LABELS,
            meanings=ACTION_MEANINGS,
            harmless=(JobAction.REFRESH, JobAction.CHECK, JobAction.PROFILE),
            audit_actions=ACTIONS,
            results=RESULTS,
            result_badges=RESULT_BADGES,
            summary=lambda errcode: self.services.summary(errcode, self.locale.code),
            remedy=lambda errcode: self.services.remedy(errcode, self.locale.code, "refresh_token"),
        )

    async def _others(self, user: AuthorizedUser) -> list[AuthorizedUser]:
        """Return the same person at other accounts. A snapshot user is nobody: their unionids collide."""
        directory = self.services.directory
        if user.unionid is None or user.is_snapshotuser or directory is None:
            return []
        wanted = UserFilter(searched=Searched(SearchField.UNIONID, user.unionid))
        found = await self.run(directory.find, UserSearch(filter=wanted, limit=_OTHERS))
        return [other for other in found.users if other.id != user.id]

    async def _entries(self, user: AuthorizedUser) -> AuditPage | None:
        if not self.may(Role.OPERATOR):
            return None
        query = AuditQuery(appid=user.appid, openid=user.openid, limit=_ENTRIES)
        return await self.run(self.services.audit.page, query)


class UserActionHandler(AdminHandler):
    """`POST /admin/users/{appid}/{openid}/{action}`: does something about a user, and says what happened."""

    requires = Role.OPERATOR

    async def post(self, appid: str, openid: str, word: str) -> None:
        """Do it, write it down, and go back to the user, or to the list when there is none any more."""
        action = JobAction(word)
        if action is JobAction.ERASE and self.get_body_argument("confirmation", "") != openid:
            self.redirect_with_notice(
                user_path(appid, openid), "Nothing was erased: type the openid to confirm.", good=False
            )
            return
        outcome = await UserActions(self.services).do(action, appid, openid)
        details: dict[str, Any] = {"outcome": outcome.result}
        if outcome.errcode is not None:
            details["errcode"] = outcome.errcode
        await self.audit(
            AUDIT_ACTIONS[action],
            result=AuditResult.SUCCESS if outcome.succeeded else AuditResult.FAILED,
            appid=appid,
            openid=openid,
            **details,
        )
        gone = outcome.result in {"erased", "unknown_user"}
        text = self.locale.translate(OUTCOMES[outcome.result])
        if outcome.errcode is not None:
            remedy = self.services.remedy(outcome.errcode, self.locale.code, None)
            text = f"{text} {outcome.errcode}: {self.services.summary(outcome.errcode, self.locale.code)} · {remedy}"
        good = outcome.succeeded and outcome.result != "invalid"
        self.redirect_with_notice("/admin/users" if gone else user_path(appid, openid), "%s", text, good=good)


def user_path(appid: str, openid: str) -> str:
    """Return the address of a user's page."""
    return f"/admin/users/{url_escape(appid, plus=False)}/{url_escape(openid, plus=False)}"


routes: list[AdminRoute] = [
    (r"/admin/users/([^/]+)/([^/]+)", UserHandler),
    (rf"/admin/users/([^/]+)/([^/]+)/({'|'.join(JobAction)})", UserActionHandler),
]
