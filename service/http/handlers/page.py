"""What handlers for pages share: origins and CORS, the browser's session, and the way to authorize (again)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from service.authorization.exchange import CodeExchange
from service.authorization.exchange_budget import Standing
from service.authorization.id_tokens import IdTokens
from service.authorization.profiles import Profiles
from service.authorization.sessions import COOKIE_DAYS, Session, SessionSigner
from service.authorization.states import STATE_SECONDS, IssuedState, States
from service.authorization.visitor_sessions import VisitorSessions
from service.http.clients import Clients
from service.http.cookies import CookiePolicy
from service.http.cors import RefusedOrigins, headers_to_allow, is_foreign, origin_error, readable_origin
from service.http.errors import ApiError
from service.http.handlers.base import JsonHandler
from service.http.known_networks import KnownNetworks
from service.http.origins import AllowedOrigins, origin_of
from service.http.outside_wechat import OutsideWeChat
from service.http.rate_limit import RateLimit
from service.http.return_address import without_answer
from service.tokens.account_credentials import AccountCredentials
from service.wechat.errcodes import Kind
from service.wechat.errors import WeChatError
from service.wechat.protocol import Account, AccountKind
from storage.base.clock import DAY_SECONDS, Clock
from storage.grants import RedeemedCode

__all__ = ["PageHandler", "PageServices"]


#: How long browsers may keep the answer to a preflight. Chromium keeps none longer than this.
_PREFLIGHT_SECONDS = 7200
#: As how many requests a code counts that WeChat refuses, beside the one that brought it.
_REFUSED_CODE_COSTS = 9
_ASKS_TO_AUTHORIZE = frozenset({Kind.REAUTHORIZE.value, Kind.UPGRADE_SCOPE.value})


@dataclass(frozen=True, slots=True)
class PageServices:
    """What the handlers for pages need.

    Attributes:
        accounts: By appid; the first is the default.
        authorize_pages: WeChat's authorize page for each kind of account.
        outside_wechat: What becomes of an official account's visitors in other browsers than WeChat's.
        rate_limit: For exchanges.
        begin_limit: For starts of authorizations.
        profile_limit: For profiles, by address.
        profile_limit_of_user: For profiles, by user.
        jssdk_limit: For signatures for `wx.config`.
        require_state: Whether a code must come with a state issued here.
        id_tokens: None where identity tokens are not configured.
    """

    exchange: CodeExchange
    profiles: Profiles
    sessions: SessionSigner
    visitor_sessions: VisitorSessions
    states: States
    id_tokens: IdTokens | None
    accounts: dict[str, Account]
    rate_limit: RateLimit
    begin_limit: RateLimit
    profile_limit: RateLimit
    profile_limit_of_user: RateLimit
    jssdk_limit: RateLimit
    credentials: AccountCredentials
    clock: Clock
    clients: Clients
    known_networks: KnownNetworks
    origins: AllowedOrigins
    refused_origins: RefusedOrigins
    cookies: CookiePolicy
    authorize_pages: Mapping[AccountKind, str]
    outside_wechat: OutsideWeChat
    require_state: bool


class PageHandler(JsonHandler):
    """Answers pages of the allowed origins, errors included, and refuses what pages of other origins send."""

    def initialize(self, services: PageServices) -> None:
        """Take what the handler needs."""
        self.services = services
        self.challenge = f'Cookie cookie-name="{services.sessions.cookie_name}"'
        self._appid: str | None = None

    def set_default_headers(self) -> None:
        """Let an allowed page read the answer, whatever it will be."""
        super().set_default_headers()
        origins: AllowedOrigins = self.settings["origins"]
        if not origins:
            return
        self.set_header("Vary", "Origin")
        origin = self.request.headers.get("Origin")
        if origin is not None and origin in origins:
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Allow-Credentials", "true")
            self.set_header("Access-Control-Expose-Headers", "Retry-After, X-Request-Id")

    def prepare(self) -> None:
        """Refuse what a foreign page sends: it could sign a browser in as somebody else, or out.

        Following a link, from any site, is not a page that sends something.
        """
        super().prepare()
        headers = self.request.headers
        follows_link = self.request.method in {"GET", "HEAD"} and "Origin" not in headers
        if not follows_link and is_foreign(headers, self.services.origins, self.own_address):
            self.services.refused_origins.note(headers)
            raise origin_error()

    def options(self) -> None:
        """Answer a preflight; `prepare` has refused those of other origins."""
        self.set_status(HTTPStatus.NO_CONTENT)
        self.clear_header("Content-Type")
        self.set_header("Allow", self.allowed_methods())
        self.set_header("Access-Control-Allow-Methods", "GET, POST, DELETE")
        asked = self.request.headers.get("Access-Control-Request-Headers", "")
        self.set_header("Access-Control-Allow-Headers", headers_to_allow(asked))
        self.set_header("Access-Control-Max-Age", str(_PREFLIGHT_SECONDS))

    def refuse(self, error: ApiError) -> None:
        """Let a foreign page read why it is refused, without credentials; its preflight is refused as a whole."""
        origin = readable_origin(self.request.headers)
        if error.kind == "origin" and origin is not None and self.request.method != "OPTIONS":
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Vary", "Origin")
        super().refuse(error)

    @property
    def own_address(self) -> str:
        """The service's address as the browser sees it."""
        return self.services.clients.service_address(self.request)

    @property
    def browser_cookies(self) -> Mapping[str, str]:
        """All cookies of the browser, by name."""
        return {name: morsel.value for name, morsel in self.cookies.items()}

    def session(self) -> Session | None:
        """Return the browser's session, if it has a good one."""
        sessions = self.services.sessions
        session = sessions.verify(self.get_cookie(sessions.cookie_name))
        return session or sessions.verify_older(self.get_cookie(sessions.older_cookie_name))

    async def signed_in_user(self) -> tuple[str, str] | None:
        """Return appid and openid of the session's user, if they are still signed in; their session goes on."""
        session = self.session()
        if session is None or session.appid is None or session.openid is None:
            return None
        self._appid = session.appid
        if not await self.services.visitor_sessions.is_good(session.appid, session.openid, session.signed_in_at):
            return None
        if self.services.sessions.is_to_be_renewed(session):
            self.set_session(session)
        return session.appid, session.openid

    async def require_user(self) -> tuple[str, str]:
        """Return the same.

        Raises:
            ApiError: The browser has no session, or it has ended.
        """
        user = await self.signed_in_user()
        if user is None:
            raise ApiError(401, Kind.REAUTHORIZE, "this browser has no session; authorize first")
        return user

    @cached_property
    def client_address(self) -> str:
        """The address that the request comes from, as far as it can be known."""
        return self.services.clients.address(self.request)

    async def check_rate(self, limit: RateLimit, user: str = "") -> None:
        """Count this request against a limit of its address, or of a user.

        Raises:
            ApiError: The user, the address or a network around it has had its share.
        """
        retry_after = await limit.count(user or self.client_address)
        if retry_after is not None:
            origin = "for this user" if user else "from this address"
            raise ApiError(429, "rate_limited", f"too many requests {origin}", retry_after=retry_after)

    async def redeem(self, account: Account, code: str, state: IssuedState | None) -> RedeemedCode:
        """Exchange a code, sign the browser in as its user, and note what the code says of the visitor's address.

        Raises:
            What `CodeExchange.exchange` raises.
        """
        services = self.services
        session = self.session()
        asked_scope = account.scopes[0] if state is None else state.asked.scope
        browser = services.clients.browser(self.request, session, state)
        browser = replace(browser, standing=self._standing(session, state))
        try:
            redeemed = await services.exchange.exchange(
                account, code, browser, asked_scope=asked_scope, request_id=self.request_id
            )
        except WeChatError as error:
            if error.kind is Kind.REAUTHORIZE:
                services.known_networks.note_refused_code(self.client_address)
                await services.rate_limit.count(self.client_address, _REFUSED_CODE_COSTS)
            raise
        services.known_networks.note_good_code(self.client_address)
        self.set_session(services.visitor_sessions.begin(redeemed.appid, redeemed.openid))
        if state is not None:
            self.set_state_cookie(state)
        return redeemed

    def _standing(self, session: Session | None, state: IssuedState | None) -> Standing:
        """Return which part of the budget of exchanges the visitor may use."""
        has_user = session is not None and session.openid is not None
        if has_user or self.services.known_networks.knows(self.client_address):
            return Standing.KNOWN
        return Standing.STRANGER if state is None else Standing.INVITED

    def account(self, appid: str | None) -> Account:
        """Return the account of an appid, or the default one.

        Raises:
            ApiError: It is not configured.
        """
        accounts = self.services.accounts
        account = accounts.get(appid) if appid else next(iter(accounts.values()))
        if account is None:
            raise ApiError(400, "request", "this appid is not configured here")
        self._appid = account.appid
        return account

    def set_session(self, session: Session) -> None:
        """Give the browser its session."""
        sessions = self.services.sessions
        self.set_plain_cookie(sessions.cookie_name, sessions.sign(session), COOKIE_DAYS * DAY_SECONDS)

    def end_session(self) -> None:
        """Delete the session cookie."""
        sessions = self.services.sessions
        for name in {sessions.cookie_name, sessions.older_cookie_name}:
            self.set_plain_cookie(name, "", 0)

    def set_state_cookie(self, state: IssuedState) -> None:
        """Tie a state to the browser, or note there that it is spent."""
        self.set_plain_cookie(state.cookie_name, state.cookie_value, STATE_SECONDS)

    def clear_state_cookie(self, name: str) -> None:
        """Delete a state cookie."""
        self.set_plain_cookie(name, "", 0)

    def set_plain_cookie(self, name: str, value: str, max_age: int) -> None:
        """Set a cookie as it is; 0 seconds delete it.

        The header is written here: Tornado's `set_cookie` checks and quotes anew what never needs it, which took a
        twentieth of an exchange.
        """
        self.add_header("Set-Cookie", self.services.cookies.header(name, value, max_age))

    def error_content(self, error: ApiError) -> dict[str, Any]:
        """Add the address to authorize at, for errors that only the user can mend."""
        content = super().error_content(error)
        if error.kind in _ASKS_TO_AUTHORIZE:
            page = self._page_address()
            if page is not None:
                content["authorize_url"] = self._authorize_address(page, wide=error.kind == Kind.UPGRADE_SCOPE)
        return content

    def _authorize_address(self, redirect_uri: str, *, wide: bool) -> str:
        """Return the address at this service that sends a browser to WeChat and back to a page."""
        accounts = self.services.accounts
        account = accounts.get(self._appid or "") or next(iter(accounts.values()))
        query = {"redirect_uri": redirect_uri, "scope": account.scopes[-1 if wide else 0]}
        if len(accounts) > 1 and self._appid is not None:
            query["appid"] = self._appid
        return f"{self.own_address}/authorize?{urlencode(query)}"

    def _page_address(self) -> str | None:
        """Return where to send the user back to: to the page, else to an allowed origin; None where none is."""
        origins = self.services.origins
        referer = without_answer(self.request.headers.get("Referer", ""))
        origin = self.request.headers.get("Origin")
        if origins.admits(referer) and (origin is None or origin == origin_of(referer)):
            return referer
        if origin in origins:
            return f"{origin}/"
        return f"{origins.origins[0]}/" if origins else None
