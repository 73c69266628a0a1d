"""`GET /authorize`: the way to WeChat's authorize page, with a state that belongs to this browser."""

from service.http.errors import ApiError
from service.http.handlers.base import Route
from service.http.handlers.error_page import ErrorPageHandler
from service.http.handlers.page import PageServices
from service.http.origins import origin_of
from service.http.return_address import address_argument, without_answer
from service.wechat.protocol import authorize_url
from service.wechat.scopes import BASE_SCOPE
from storage.grants import WIDE_SCOPE

__all__ = ["routes"]

_SCOPES = frozenset({BASE_SCOPE, WIDE_SCOPE})
#: A page's address that the browser keeps in a cookie must leave room there: cookies end at 4096 bytes.
_LONGEST_KEPT_ADDRESS = 1024
_FLAGS = {"": False, "false": False, "true": True}


class AuthorizeHandler(ErrorPageHandler):
    """Sends the browser to WeChat.

    Arguments of the query: `redirect_uri`, the page to return to; `scope`, `snsapi_base` by default; `appid`;
    `flow=callback` for pages without script, which get their visitor back by `GET /callback`; `forcePopup` and
    `forceSnapShot`, which WeChat's page knows.
    """

    async def get(self) -> None:
        """Tie a new state to the browser and redirect."""
        await self.check_rate(self.services.begin_limit)
        account = self.account(self.get_query_argument("appid", ""))
        scope = self._one_of("scope", _SCOPES, BASE_SCOPE)
        page = self._page()
        through_callback = self._one_of("flow", frozenset({"page", "callback"}), "page") == "callback"
        if through_callback and len(page) > _LONGEST_KEPT_ADDRESS:
            raise ApiError(
                400, "request", f"with flow=callback, redirect_uri has {_LONGEST_KEPT_ADDRESS} bytes at most"
            )
        force_popup, force_snapshot = self._flag("forcePopup"), self._flag("forceSnapShot")
        # Only the callback needs the way back; where the page gets the code itself, its origin says whose it is.
        kept = page if through_callback else origin_of(page) or ""
        states = self.services.states
        for name in states.superfluous_cookies(self.browser_cookies):
            self.clear_state_cookie(name)
        issued = states.issue(account.appid, scope, kept, through_callback=through_callback)
        self.set_state_cookie(issued)
        url = authorize_url(
            self.services.authorize_page,
            account.appid,
            f"{self.own_address}/callback" if through_callback else page,
            scope,
            issued.state,
            force_popup=force_popup,
            force_snapshot=force_snapshot,
        )
        self.redirect(url, status=302)

    def write_refusal(self, error: ApiError) -> None:
        """Show a visitor a page; scripts and command lines get JSON."""
        if "text/html" in self.request.headers.get("Accept", ""):
            self.show_error(error)
        else:
            super().write_refusal(error)

    def _page(self) -> str:
        page = address_argument(self.request.query, "redirect_uri")
        if not page:
            raise ApiError(400, "request", "redirect_uri is missing: the address of the page to return to")
        if not self.services.origins.admits(page):
            raise ApiError(
                400, "redirect_uri", "redirect_uri must be an address whose origin is exactly one of ALLOWED_ORIGINS"
            )
        return without_answer(page)

    def _one_of(self, name: str, choices: frozenset[str], default: str) -> str:
        value = self.get_query_argument(name, default)
        if value not in choices:
            raise ApiError(400, "request", f"{name} must be one of: {', '.join(sorted(choices))}")
        return value

    def _flag(self, name: str) -> bool:
        value = self.get_query_argument(name, "")
        if value not in _FLAGS:
            raise ApiError(400, "request", f"{name} must be true or false")
        return _FLAGS[value]


def routes(services: PageServices) -> list[Route]:
    """Return the route to WeChat."""
    return [(r"/authorize", AuthorizeHandler, {"services": services})]
