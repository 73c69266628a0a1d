"""`GET /jssdk/config`: what a page gives to `wx.config` of WeChat's JS-SDK. The ticket that signs it stays here."""

import secrets

from tornado.httputil import HTTPHeaders

from service.http.cors import is_foreign
from service.http.errors import ApiError
from service.http.handlers.base import Route
from service.http.handlers.page import PageHandler, PageServices
from service.http.origins import MAX_ADDRESS_LENGTH, origin_of
from service.http.return_address import address_argument
from service.wechat.account_protocol import sign_jsapi
from service.wechat.protocol import AccountKind

__all__ = ["routes"]

_NONCE_BYTES = 16


class JsSdkConfigHandler(PageHandler):
    """Signs the address of the page that asks, and no other's."""

    async def get(self) -> None:
        """Answer with `appId`, `timestamp`, `nonceStr` and `signature`."""
        await self.check_rate(self.services.jssdk_limit)
        account = self.account(self.get_query_argument("appid", ""))
        if account.kind is not AccountKind.OFFICIAL:
            raise ApiError(400, "request", "wx.config is for Official Accounts; this appid is a website application")
        url = self._own_page()
        ticket = await self.services.credentials.jsapi_ticket(account.appid)
        nonce, timestamp = secrets.token_hex(_NONCE_BYTES), self.services.clock.now()
        self.write_json(
            {
                "appId": account.appid,
                "timestamp": timestamp,
                "nonceStr": nonce,
                "signature": sign_jsapi(ticket.value, nonce, timestamp, url),
            }
        )

    def _own_page(self) -> str:
        """Return the address to sign, without its fragment.

        Raises:
            ApiError: It is none, or not one of the page that asks; or that page may not use the service.
        """
        url = address_argument(self.request.query, "url").partition("#")[0]
        origin = origin_of(url)
        if origin is None or len(url) > MAX_ADDRESS_LENGTH:
            raise ApiError(
                400, "request", f"url must be the page's address, location.href, of {MAX_ADDRESS_LENGTH} bytes at most"
            )
        services = self.services
        if is_foreign(HTTPHeaders({"Origin": origin}), services.origins, self.own_address):
            raise ApiError(403, "origin", "the origin of url is not in ALLOWED_ORIGINS")
        if origin != self._asking_origin():
            raise ApiError(403, "origin", "url must be of the page that asks, which Origin or Referer names")
        return url

    def _asking_origin(self) -> str | None:
        """Return the origin of the page that asks, as far as its browser says; `prepare` has refused foreign ones.

        Browsers send no `Origin` with a GET to the page's own host, but a `Referer` unless the page forbids it.
        """
        headers = self.request.headers
        if "Origin" in headers:
            return headers["Origin"]
        if "Referer" in headers:
            return origin_of(headers["Referer"])
        return origin_of(f"{self.own_address}/") if headers.get("Sec-Fetch-Site") == "same-origin" else None


def routes(services: PageServices) -> list[Route]:
    """Return the route that signs for `wx.config`."""
    return [(r"/jssdk/config", JsSdkConfigHandler, {"services": services})]
