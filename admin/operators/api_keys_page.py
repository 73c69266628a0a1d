"""API keys: by which other backends ask for live tokens."""

from admin.web.handler import AdminHandler, AdminRoute
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
        """Make a key and show it: the only time that anybody sees it."""
        name = self.get_body_argument("name", "")
        try:
            key = await self.run(self.services.api_keys.add, name, self.services.clock.now())
        except InvalidRecord:
            self.redirect_with_notice(
                _PAGE, "Not made: a name has 1 to 64 characters and was never used before.", good=False
            )
            return
        await self.audit(AuditAction.API_KEY_ADD, subject=name)
        self.render(
            "operators/shown_once.html",
            title="An API key for %s",
            name=name,
            secret=key,
            text="Copy it now; it is shown this once and only its hash is stored.",
            back=_PAGE,
        )


class RevokeApiKeyHandler(AdminHandler):
    """`POST /admin/api-keys/revoke`: refuses a key from now on."""

    requires = Role.OWNER

    async def post(self) -> None:
        """Revoke it."""
        name = self.get_body_argument("name", "", strip=False)
        if not await self.run(self.services.api_keys.revoke, name, self.services.clock.now()):
            self.redirect_with_notice(_PAGE, "There is no such key in force.", good=False)
            return
        await self.audit(AuditAction.API_KEY_REVOKE, subject=name)
        self.redirect_with_notice(_PAGE, "The key of %s is revoked.", name)


routes: list[AdminRoute] = [
    (r"/admin/api-keys", ApiKeysHandler),
    (r"/admin/api-keys/add", AddApiKeyHandler),
    (r"/admin/api-keys/revoke", RevokeApiKeyHandler),
]
