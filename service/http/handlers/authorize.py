"""`GET /authorize`: the way to WeChat's authorize page, with a state that belongs to this browser."""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from service.http.errors import ApiError
from service.http.handlers.base import Route
from service.http.handlers.page import PageServices
from service.http.handlers.visitor_page import VisitorPageHandler
from service.http.origins import origin_of
from service.http.return_address import address_argument, without_answer
from service.wechat.protocol import Account, authorize_url

__all__ = ["routes"]

#: A page's address that the browser keeps in a cookie must leave room there: cookies end at 4096 bytes.
_LONGEST_KEPT_ADDRESS = 1024
_FLOWS = ("callback", "page")
_FLAGS = {"": False, "false": False, "true": True}


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is asked for, apart from the account."""

    page: str
    scope: str
    through_callback: bool
    flags: dict[str, bool]


class AuthorizeHandler(VisitorPageHandler):
    """Sends the browser to WeChat.

    Arguments of the query: `redirect_uri`, the page to return to; `scope`, by default the first that accounts of the
    kind have; `appid`; `flow=callback` for pages without script, which get their visitor back by `GET /callback`;
    `forcePopup` and `forceSnapShot`, which WeChat's page for Official Accounts knows.
    """

    async def get(self) -> None:
        """Tie a new state to the browser and redirect; or tell the visitor that it takes WeChat."""
        await self.check_rate(self.services.begin_limit)
        account = self.account(self.get_query_argument("appid", ""))
        wish = self._wish(account)
        outside, headers = self.services.outside_wechat, self.request.headers
        website = outside.website_of(account, headers)
        if website:
            account = self.account(website)
            self._send_to_wechat(account, replace(wish, scope=account.scopes[0], flags={}))
        elif outside.is_to_explain(account, headers):
            await self.ask_to_open_in_wechat(self._own_address_of(account, wish))
        else:
            self._send_to_wechat(account, wish)

    head = get

    def _send_to_wechat(self, account: Account, wish: _Wish) -> None:
        # Only the callback needs the way back; where the page gets the code itself, its origin says whose it is.
        kept = wish.page if wish.through_callback else origin_of(wish.page) or ""
        states = self.services.states
        for name in states.superfluous_cookies(self.browser_cookies):
            self.clear_state_cookie(name)
        issued = states.issue(account.appid, wish.scope, kept, through_callback=wish.through_callback)
        self.set_state_cookie(issued)
        url = authorize_url(
            self.services.authorize_pages[account.kind],
            account.appid,
            f"{self.own_address}/callback" if wish.through_callback else wish.page,
            wish.scope,
            issued.state,
            force_popup=wish.flags.get("forcePopup", False),
            force_snapshot=wish.flags.get("forceSnapShot", False),
        )
        self.redirect(url, status=302)

    def _own_address_of(self, account: Account, wish: _Wish) -> str:
        """Return the address at which another browser asks for the same."""
        query = {"redirect_uri": wish.page, "scope": wish.scope}
        if len(self.services.accounts) > 1:
            query["appid"] = account.appid
        if wish.through_callback:
            query["flow"] = "callback"
        query |= {name: "true" for name, is_set in wish.flags.items() if is_set}
        return f"{self.own_address}/authorize?{urlencode(query, safe='/:')}"

    def write_refusal(self, error: ApiError) -> None:
        """Show a visitor a page; scripts and command lines get JSON."""
        if "text/html" in self.request.headers.get("Accept", ""):
            self.show_error(error)
        else:
            super().write_refusal(error)

    def _wish(self, account: Account) -> _Wish:
        scope = self.get_query_argument("scope", "") or account.scopes[0]
        if scope not in account.scopes:
            choices = " or ".join(account.scopes)
            raise ApiError(400, "request", f"scope must be {choices} for this account: its kind is {account.kind}")
        page = self._page()
        flow = self.get_query_argument("flow", "page")
        if flow not in _FLOWS:
            raise ApiError(400, "request", f"flow must be one of: {', '.join(_FLOWS)}")
        if flow == "callback" and len(page) > _LONGEST_KEPT_ADDRESS:
            raise ApiError(
                400, "request", f"with flow=callback, redirect_uri has {_LONGEST_KEPT_ADDRESS} bytes at most"
            )
        flags = {name: self._flag(name) for name in ("forcePopup", "forceSnapShot")}
        return _Wish(page, scope, flow == "callback", flags)

    def _page(self) -> str:
        page = address_argument(self.request.query, "redirect_uri")
        if not page:
            raise ApiError(400, "request", "redirect_uri is missing: the address of the page to return to")
        if not self.services.origins.admits(page):
            raise ApiError(
                400, "redirect_uri", "redirect_uri must be an address whose origin is exactly one of ALLOWED_ORIGINS"
            )
        return without_answer(page)

    def _flag(self, name: str) -> bool:
        value = self.get_query_argument(name, "")
        if value not in _FLAGS:
            raise ApiError(400, "request", f"{name} must be true or false")
        return _FLAGS[value]


def routes(services: PageServices) -> list[Route]:
    """Return the route to WeChat."""
    return [(r"/authorize", AuthorizeHandler, {"services": services})]
