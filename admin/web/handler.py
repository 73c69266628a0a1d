"""`AdminHandler`: what all pages share: session and role, rendering, audit entries."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

from tornado.ioloop import IOLoop
from tornado.locale import Locale
from tornado.web import HTTPError, RequestHandler

from admin.labels.browsers import describe_browser
from admin.services import ActionOutcome, AdminServices, ErrcodeText
from admin.web.cookies import LANGUAGE, NOTICE, SESSION, VISITOR, PrivateCookies
from admin.web.csrf import check_form_token, check_origin, form_token
from admin.web.errors import PageError, describe_error
from admin.web.headers import set_protective_headers
from admin.web.i18n import N_, locale_for
from admin.web.links import is_own_path, link
from admin.web.moments import moment_html
from admin.web.navigation import FACTORS_PAGE, NAVIGATION
from admin.web.notices import Notice, NoticeText, sign_notice, sign_outcome, verify_notice
from admin.web.time_zones import TIME_ZONE_COOKIE, PageTime, time_zone_of
from storage.base.errors import InvalidRecord, StoreTooSlow, StoreUnavailable, UnsupportedSearch
from storage.sql.accounts.audit import AuditAction, AuditResult, NewAuditEntry
from storage.sql.accounts.operators import Role
from storage.sql.accounts.sessions import OperatorSession

__all__ = ["AdminHandler", "AdminRoute"]

P = ParamSpec("P")
T = TypeVar("T")

_TEMPLATES = Path(__file__).parents[1] / "templates"
_VISITOR_BYTES = 32
_YEAR_DAYS = 365
#: How long finding out who asks may take: a look by a key.
_SESSION_SECONDS = 2.0
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_logger = logging.getLogger(__name__)


class AdminHandler(RequestHandler):
    """A page, or a change that a page asks for.

    Every handler says by `requires` which role it takes; None admits everybody, signed in or not. A change is made
    only by a form of our own: it must carry the page's token and come from the page's origin.
    """

    #: The least role that may use the handler. Each class names its own.
    requires: ClassVar[Role | None] = Role.OWNER
    #: Whether it is there for operators who must set up a second factor first.
    serves_set_up: ClassVar[bool] = False

    services: AdminServices
    languages: Mapping[str, Locale]
    assets: Mapping[str, str]

    def initialize(self, services: AdminServices, languages: Mapping[str, Locale], assets: Mapping[str, str]) -> None:
        """Take what the handler needs."""
        self.services = services
        self.languages = languages
        self.assets = assets
        self.request_id: str = self.settings["request_ids"].of(self.request)
        self._session: OperatorSession | None = None

    def set_default_headers(self) -> None:
        """Protect the answer, whatever it will be."""
        set_protective_headers(self)

    async def prepare(self) -> None:
        """Find the session, and refuse what its role does not cover."""
        self.settings["in_flight"].enter(self)
        self._remember_language()
        token = self.private_cookies.get(SESSION)
        if token:
            self._session = await self._find_session(token)
        if self.request.method not in _SAFE_METHODS:
            check_origin(self.request, self._own_origin)
            self.check_xsrf_cookie()
        if self.requires is None:
            return
        if self._session is None:
            self._ask_to_sign_in()
        elif self._session.lacks_factor and not self.serves_set_up:
            self.redirect(FACTORS_PAGE, status=HTTPStatus.SEE_OTHER)
        elif not self._session.role.covers(self.requires):
            await self.audit(AuditAction.ACCESS, result=AuditResult.REFUSED, subject=self.request.path)
            raise PageError(HTTPStatus.FORBIDDEN, N_("Your role does not allow this."))

    async def _find_session(self, token: str) -> OperatorSession | None:
        """Return who is signed in. Each page asks for it first, and in a moment: a store that is silent is said so."""
        try:
            async with asyncio.timeout(_SESSION_SECONDS):
                return await self.run(self.services.sessions.find, token, self.services.clock.now())
        except TimeoutError:
            raise StoreUnavailable("The database does not answer in time.") from None

    def on_finish(self) -> None:
        """Note that the request is answered."""
        self.settings["in_flight"].leave(self)

    def compute_etag(self) -> str | None:
        """Return nothing: a page that is not stored needs no tag."""
        return None

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something that blocks, such as a query, away from the event loop."""
        return await IOLoop.current().run_in_executor(None, lambda: work(*args, **kwargs))

    # The session and its role.

    @property
    def session(self) -> OperatorSession:
        """The operator's session. Only for handlers that require a role."""
        assert self._session is not None, "a handler that requires a role runs only with a session"
        return self._session

    @property
    def session_if_any(self) -> OperatorSession | None:
        """The operator's session; None where the browser is not signed in."""
        return self._session

    def may(self, role: Role) -> bool:
        """Return whether the session has a role."""
        return self._session is not None and self._session.role.covers(role)

    @property
    def client_address(self) -> str:
        """The address that the request comes from."""
        return self.services.origins.client_address(self.request)

    @property
    def user_agent(self) -> str:
        """The browser's User-Agent: any text at all."""
        return self.request.headers.get("User-Agent", "")

    def _ask_to_sign_in(self) -> None:
        """Send the browser to the sign-in page, and from there back to the page it asked for."""
        here = self.request.uri or ""
        returns = self.request.method in _SAFE_METHODS and is_own_path(here)
        self.redirect(link("/admin/sign-in", ("next", here if returns else None)), status=HTTPStatus.SEE_OTHER)

    # Cookies, and the token of forms.

    @cached_property
    def _own_origin(self) -> str:
        return self.services.origins.own_origin(self.request)

    @cached_property
    def private_cookies(self) -> PrivateCookies:
        """The dashboard's cookies."""
        return PrivateCookies(self, is_https=self._own_origin.startswith("https://"))

    @cached_property
    def _visitor_secret(self) -> str:
        """The secret of a browser that is not signed in; a new one for a browser that has none."""
        secret = self.private_cookies.get(VISITOR)
        if not secret:
            secret = secrets.token_urlsafe(_VISITOR_BYTES)
            self.private_cookies.set(VISITOR, secret)
        return secret

    @property
    def _session_secret(self) -> str:
        secret = self.private_cookies.get(SESSION)
        assert secret is not None, "a session is found by its cookie"
        return secret

    def check_xsrf_cookie(self) -> None:
        """Refuse a change whose form was not made for this session.

        Raises:
            PageError: The token is missing or another's.
        """
        secret = self.private_cookies.get(SESSION if self._session is not None else VISITOR)
        given = self.get_body_argument("_xsrf", None) or self.request.headers.get("X-Xsrftoken", "")
        check_form_token(secret, given)

    def xsrf_form_html(self) -> str:
        """Return the hidden field that each form needs."""
        token = form_token(self._session_secret if self._session is not None else self._visitor_secret)
        return f'<input type="hidden" name="_xsrf" value="{token}">'

    # What is written down.

    def audit_entry(
        self,
        action: AuditAction,
        *,
        result: AuditResult = AuditResult.SUCCESS,
        operator: str | None = None,
        appid: str = "",
        openid: str = "",
        subject: str = "",
        **details: Any,
    ) -> NewAuditEntry:
        """Return an entry of the audit log for the operator of the session (or `operator`, before there is one).

        Details are for people and never hold a secret, a token or a password; those that are None are left out.
        """
        if operator is None:
            operator = self._session.operator if self._session is not None else ""
        return NewAuditEntry(
            at=self.services.clock.now(),
            operator=operator,
            action=action,
            result=result,
            appid=appid,
            openid=openid,
            subject=subject,
            address=self.client_address,
            user_agent=self.user_agent,
            request_id=self.request_id,
            details={name: value for name, value in details.items() if value is not None},
        )

    async def audit(self, action: AuditAction, **words: Any) -> None:
        """Add an entry to the audit log, where no transaction does so together with the change; see `audit_entry`."""
        await self.run(self.services.audit.record, self.audit_entry(action, **words))

    # Notices: what the next page says about what this request has done.

    def redirect_with_notice(self, path: str, notice: Notice, name: str = "") -> None:
        """Send the browser on to a page of the dashboard that shows a notice; `name` is whom or what it is about."""
        self.private_cookies.set(NOTICE, sign_notice(self._session_secret, notice, name))
        self.redirect(path, status=HTTPStatus.SEE_OTHER)

    def redirect_with_outcome(self, path: str, outcome: ActionOutcome) -> None:
        """Send the browser on to a page of the dashboard that says how an action on a user ended."""
        self.private_cookies.set(NOTICE, sign_outcome(self._session_secret, outcome))
        self.redirect(path, status=HTTPStatus.SEE_OTHER)

    def _take_notice(self) -> NoticeText | None:
        """Return the notice that the page before left, once."""
        cookie = self.private_cookies.get(NOTICE)
        if not cookie or self._session is None:
            return None
        self.private_cookies.clear(NOTICE)
        return verify_notice(self._session_secret, cookie)

    # How it looks.

    def get_template_path(self) -> str:
        """Return the folder of the templates."""
        return str(_TEMPLATES)

    def get_template_namespace(self) -> dict[str, Any]:
        """Return the names that every template has besides its page's own."""
        return {
            **super().get_template_namespace(),
            "assets": self.assets,
            "describe_browser": lambda text: describe_browser(text, self.locale.translate),
            "explain": self.explain,
            "languages": self.languages,
            "link": link,
            "may": self.may,
            "moment": self._moment,
            "navigation": [item for item in NAVIGATION if self.may(item.requires)],
            "notice": self._take_notice(),
            "now": self.services.clock.now(),
            "request_id": self.request_id,
            "Role": Role,
            "session": self._session,
            "time_zone": self.time_zone,
            "with_language": self._with_language,
        }

    def explain(self, errcode: int | None, endpoint: str | None = None) -> ErrcodeText:
        """Return what an errcode of WeChat means and what to do about it, in the page's language."""
        return self.services.accounts.explain(errcode, self.locale.code, endpoint)

    def get_user_locale(self) -> Locale | None:
        """Return the language that was chosen on a page."""
        chosen = self.languages.get(self._language_argument)
        return chosen or self.languages.get(self.private_cookies.get(LANGUAGE) or "")

    def get_browser_locale(self, default: str = "en") -> Locale:
        """Return the language that the browser asks for."""
        return locale_for(self.languages, self.request.headers.get("Accept-Language", default))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Show what went wrong, and the request's id, by which the log has more."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        holds_tokens = self.services.shares_database or not self.services.vault.available
        failure = describe_error(error, status_code, holds_tokens=holds_tokens)
        self.set_status(failure.status)
        self.set_header("X-Request-Id", self.request_id)
        self.render("error.html", failure=failure, came_from=self._came_from)

    @property
    def _came_from(self) -> str | None:
        """The page of the dashboard that led here; None where that is unknown or this page itself."""
        origin, path = self._own_origin, self.request.headers.get("Referer", "")
        path = path.removeprefix(origin) if path.startswith(f"{origin}/") else ""
        return path if is_own_path(path) and path != self.request.uri else None

    def log_exception(
        self, typ: "type[BaseException] | None", value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Log what needs attention, by path and request id."""
        place = f"{self.request.method} {self.request.path} [{self.request_id}]"
        if isinstance(value, HTTPError | InvalidRecord | UnsupportedSearch):
            _logger.debug("%s refused: %s", place, value)
        elif isinstance(value, StoreTooSlow | StoreUnavailable):
            _logger.warning("%s: %s", place, value)
        else:
            _logger.error("unforeseen failure in %s", place, exc_info=(typ, value, tb) if typ and value else None)

    @property
    def _language_argument(self) -> str:
        # Read leniently: an error page needs a language, even if the address is what is wrong.
        return self.request.query_arguments.get("lang", [b""])[-1].decode("utf-8", "replace")

    def _remember_language(self) -> None:
        if (chosen := self._language_argument) in self.languages:
            self.private_cookies.set(LANGUAGE, chosen, expires_days=_YEAR_DAYS)

    def _with_language(self, code: str) -> str:
        """Return this page's address in another language; what answers a form has none, and leads to the start."""
        if self.request.method not in _SAFE_METHODS:
            return link("/admin/", ("lang", code))
        arguments = [
            (name, value) for name, values in self.request.query_arguments.items() for value in values if name != "lang"
        ]
        return link(self.request.path, *arguments, ("lang", code))

    def _moment(self, at: int | None, *, precise: bool = False) -> str:
        return moment_html(at, self.locale.translate(N_("never")), self.time_zone, precise=precise)

    @property
    def page_time(self) -> PageTime:
        """When the page is written, and in which zone."""
        return PageTime(self.services.clock.now(), self.time_zone)

    @cached_property
    def time_zone(self) -> ZoneInfo:
        """The zone that the page is written in, and that its days begin in."""
        return time_zone_of(self.get_cookie(TIME_ZONE_COOKIE) or "") or self.services.time_zone


#: An address of the dashboard and what answers it.
AdminRoute = tuple[str, type[AdminHandler]]
