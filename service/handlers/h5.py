"""The public face: what pages in WeChat's browser call."""

import json
from dataclasses import dataclass
from typing import Any

from service.exchange import CodeExchange
from service.handlers.base import JsonHandler
from service.handlers.clients import browser_of, client_address
from service.rate_limit import RateLimit
from service.refusals import CODE_MISSING, Refusal
from service.settings import Network
from service.signing import SESSION_DAYS, Session, SessionSigner
from service.wechat.protocol import Account

__all__ = ["PageServices", "routes"]


@dataclass(frozen=True, slots=True)
class PageServices:
    """What the public handlers need.

    Attributes:
        accounts: By appid; the first is the default.
        secure_cookies: Whether browsers reach the service by https.
    """

    exchange: CodeExchange
    sessions: SessionSigner
    accounts: dict[str, Account]
    rate_limit: RateLimit
    trusted_proxies: tuple[Network, ...]
    secure_cookies: bool


class GetCodeHandler(JsonHandler):
    """`POST /getCode`: exchanges the code that WeChat gave the page for its user's openid."""

    def initialize(self, services: PageServices) -> None:
        """Take what the handler needs."""
        self.services = services

    async def post(self) -> None:
        """Exchange, store, answer with the openid and never a token, and note the user in the session cookie."""
        services = self.services
        await services.rate_limit.check(client_address(self.request, services.trusted_proxies))
        fields = self._fields()
        code = fields.get("code")
        if not code:
            raise Refusal(400, "request", "missing code", CODE_MISSING)
        account = self._account(fields.get("appid"))
        session = services.sessions.verify(self.get_cookie(SessionSigner.cookie_name))
        browser = browser_of(self.request, session, services.trusted_proxies)
        redeemed = await services.exchange.exchange(account, code, browser)
        self._set_session((session or Session.new()).of_user(redeemed.appid, redeemed.openid))
        reply: dict[str, Any] = {
            "openid": redeemed.openid,
            "scope": redeemed.scope,
            "is_snapshotuser": redeemed.is_snapshotuser,
        }
        if redeemed.unionid:
            reply["unionid"] = redeemed.unionid
        self.write_json(reply)

    def _fields(self) -> dict[str, str]:
        """Read the body, JSON or form, whatever the content type says: samples of the field get it wrong."""
        body = self.request.body
        if body.lstrip()[:1] in {b"{", b"["}:
            return _json_fields(body)
        if self.request.body_arguments:
            return {name: self.get_body_argument(name, strip=False) for name in self.request.body_arguments}
        if body:
            raise Refusal(400, "request", 'the body must be JSON, such as {"code": "…"}, or a form with a field code')
        return {}

    def _account(self, appid: str | None) -> Account:
        accounts = self.services.accounts
        if not appid:
            return next(iter(accounts.values()))
        if appid not in accounts:
            raise Refusal(400, "request", "this appid is not configured here")
        return accounts[appid]

    def _set_session(self, session: Session) -> None:
        self.set_cookie(
            SessionSigner.cookie_name,
            self.services.sessions.sign(session),
            max_age=SESSION_DAYS * 86_400,
            path="/",
            httponly=True,
            secure=self.services.secure_cookies,
            samesite="Lax",
        )


def _json_fields(body: bytes) -> dict[str, str]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "request", "the body is not JSON") from None
    if not isinstance(content, dict):
        raise Refusal(400, "request", 'the body must be a JSON object, such as {"code": "…"}')
    for name in ("code", "state", "appid"):
        if not isinstance(content.get(name, ""), str | None):
            raise Refusal(400, "request", f"{name} must be a string")
    return {name: content[name] for name in ("code", "state", "appid") if content.get(name)}


def routes(services: PageServices) -> list[tuple[str, type[JsonHandler], dict[str, Any]]]:
    """Return the routes of the public listener."""
    return [(r"/getCode", GetCodeHandler, {"services": services})]
