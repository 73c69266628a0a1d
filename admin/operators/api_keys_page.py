"""API keys: by which other backends ask for live tokens."""

from admin.web.handler import AdminHandler, AdminRoute
from admin.web.i18n import N_
from admin.web.inputs import parse_text
from admin.web.notices import Notice
from storage.base.errors import InvalidRecord
from storage.sql.accounts.audit import AuditAction
from storage.sql.accounts.operators import Role

__all__ = ["routes"]

_PAGE = "/admin/api-keys"


class ApiKeysHandler(AdminHandler):
    """`GET /admin/api-keys`: which backends have one."""

    requires = Role.OWNER

    async def get(self) -> None:
        """List them, the newest first."""
        keys = await self.run(self.services.api_keys.list)
        self.render("operators/api_keys.html", keys=keys[::-1])


class AddApiKeyHandler(AdminHandler):
    """`POST /admin/api-keys/add`: a key for a backend."""

    requires = Role.OWNER

    async def post(self) -> None:
        """Create a key and show it: the only time that anybody sees it."""
        name = parse_text(self.get_body_argument("name", ""))
        try:
            key = await self.run(self.services.api_keys.add, name, self.services.clock.now())
        except InvalidRecord:
            self.redirect_with_notice(_PAGE, Notice.API_KEY_NOT_CREATED)
            return
        await self.audit(AuditAction.API_KEY_ADD, subject=name)
        self.render(
            "operators/shown_once.html",
            title=N_("API key: %s"),
            name=name,
            secret=key,
            text=N_("Copy it now. It is shown only once; only its hash is stored."),
            back=_PAGE,
        )


class RevokeApiKeyHandler(AdminHandler):
    """`POST /admin/api-keys/revoke`: refuses a key from now on."""

    requires = Role.OWNER

    async def post(self) -> None:
        """Revoke it."""
        name = parse_text(self.get_body_argument("name", "", strip=False))
        if not await self.run(self.services.api_keys.revoke, name, self.services.clock.now()):
            self.redirect_with_notice(_PAGE, Notice.API_KEY_NOT_ACTIVE)
            return
        await self.audit(AuditAction.API_KEY_REVOKE, subject=name)
        self.redirect_with_notice(_PAGE, Notice.API_KEY_REVOKED, name)


routes: list[AdminRoute] = [
    (r"/admin/api-keys", ApiKeysHandler),
    (r"/admin/api-keys/add", AddApiKeyHandler),
    (r"/admin/api-keys/revoke", RevokeApiKeyHandler),
]
