"""What all pages of the dashboard share: who asks, what they may do, where a change may come from, and how it looks."""

import base64
import hashlib
import hmac
import json
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, ParamSpec, TypeVar
from urllib.parse import urlencode, urlsplit

from tornado.escape import xhtml_escape
from tornado.ioloop import IOLoop
from tornado.locale import Locale
from tornado.web import HTTPError, RequestHandler

from admin.services import AdminServices
from admin.web.avatars import AVATAR_HOSTS
from admin.web.i18n import preferred
from admin.web.navigation import NAVIGATION
from storage.base.errors import InvalidRecord, StoreTooSlow, StoreUnavailable
from storage.sql.accounts.audit import AuditAction, AuditResult, NewAuditEntry
from storage.sql.accounts.operators import Role
from storage.sql.accounts.sessions import Session

__all__ = ["SESSION_COOKIE", "AdminHandler", "AdminRoute", "Refused"]

P = ParamSpec("P")
T = TypeVar("T")

SESSION_COOKIE = "session"
#: Whom the sign-in page was shown to: what its form's token is made from.
_VISITOR_COOKIE = "visitor"
_NOTICE_COOKIE = "notice"
_LANGUAGE_COOKIE = "language"
_COOKIE_PREFIX = "wechat_openid_"
_TEMPLATES = Path(__file__).parents[1] / "templates"
_VISITOR_BYTES = 32
_YEAR_DAYS = 365
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    f"img-src 'self' {' '.join(AVATAR_HOSTS)}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: A place of the dashboard that a browser may be sent back to: a path of ours, whatever way it is read.
_OWN_PATH = re.compile(r"/admin/[A-Za-z0-9._~/?&=%+:,@-]*")

_logger = logging.getLogger(__name__)


class Refused(HTTPError):
    """A request that is not served. `text` is what the page says, in English; it is translated there."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status)
        self.text = text


class AdminHandler(RequestHandler):
    """A page, or a change that a page asks for.

    Every handler says by `requires` which role it takes; None lets in who is not signed in. A change is made only by
    a form of our own: it must carry the page's token and come from the page's origin.
    """

    #: The least role that may use the handler. Each class names its own.
    requires: ClassVar[Role | None] = Role.OWNER

    services: AdminServices
    languages: Mapping[str, Locale]
    assets: Mapping[str, str]
    session: Session | None = None

    def initialize(self, services: AdminServices, languages: Mapping[str, Locale], assets: Mapping[str, str]) -> None:
        """Take what the handler needs."""
        self.services = services
        self.languages = languages
        self.assets = assets
        self.request_id = secrets.token_hex(8)

    def set_default_headers(self) -> None:
        """Let a page run no code but ours, be framed by nobody, and be kept by no cache."""
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        # Not "no-referrer": browsers would then send `Origin: null` with our own forms.
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")

    async def prepare(self) -> None:
        """Find out who asks, and refuse what they may not do."""
        self.settings["in_flight"].enter(self)
        self._remember_language()
        token = self.get_private_cookie(SESSION_COOKIE)
        if token:
            self.session = await self.run(self.services.sessions.find, token, self.services.clock.now())
        if self.request.method not in _SAFE_METHODS:
            self._check_origin()
            self.check_xsrf_cookie()
        if self.requires is None:
            return
        if self.session is None:
            self._ask_to_sign_in()
        elif not self.session.role.covers(self.requires):
            raise Refused(HTTPStatus.FORBIDDEN, "Your role does not allow this.")

    def on_finish(self) -> None:
        """Note that the request is answered."""
        self.settings["in_flight"].leave(self)

    def compute_etag(self) -> str | None:
        """Return nothing: a page that is not stored needs no tag."""
        return None

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something that blocks, such as a query, away from the event loop."""
        return await IOLoop.current().run_in_executor(None, lambda: work(*args, **kwargs))

    # Who asks.

    @property
    def operator(self) -> Session:
        """The session of whoever is signed in. Only for handlers that require a role."""
        assert self.session is not None, "a handler that requires a role runs only for who has it"
        return self.session

    def may(self, role: Role) -> bool:
        """Tell whether whoever asks has a role."""
        return self.session is not None and self.session.role.covers(role)

    @property
    def client_address(self) -> str:
        """Where the request comes from."""
        return self.services.client_address(self.request)

    @property
    def user_agent(self) -> str:
        """What the browser calls itself: any text at all."""
        return self.request.headers.get("User-Agent", "")

    def _ask_to_sign_in(self) -> None:
        """Send the browser to the sign-in page, and from there back to the page it asked for."""
        here = self.request.uri or ""
        returns = self.request.method in _SAFE_METHODS and _OWN_PATH.fullmatch(here)
        self.redirect("/admin/sign-in" + (f"?{urlencode({'next': here})}" if returns else ""), status=303)

    def own_path(self, text: str, default: str = "/admin/") -> str:
        """Return a path that the browser named, if it is one of the dashboard's pages; the default otherwise."""
        return text if _OWN_PATH.fullmatch(text) else default

    # What a change must prove. These take the place of Tornado's own: its token is a cookie that anybody who can
    # set cookies for the host can choose, while this one is made from a secret of the session.

    @property
    def xsrf_token(self) -> bytes:
        """The token that forms of this page carry."""
        anchor = self.get_private_cookie(SESSION_COOKIE) if self.session is not None else self._visitor()
        assert anchor is not None, "a session is found by its cookie"
        return _form_token(anchor)

    def check_xsrf_cookie(self) -> None:
        """Refuse a change whose form was not made for this session.

        Raises:
            Refused: The token is missing or another.
        """
        name = SESSION_COOKIE if self.session is not None else _VISITOR_COOKIE
        anchor = self.get_private_cookie(name)
        given = self.get_body_argument("_xsrf", None) or self.request.headers.get("X-Xsrftoken", "")
        if not anchor or not hmac.compare_digest(given.encode(), _form_token(anchor)):
            raise Refused(HTTPStatus.FORBIDDEN, "This form is out of date. Go back, reload the page and try again.")

    def xsrf_form_html(self) -> str:
        """Return the hidden field that each form needs."""
        return f'<input type="hidden" name="_xsrf" value="{self.xsrf_token.decode()}">'

    def _visitor(self) -> str:
        visitor = getattr(self, "_new_visitor", None) or self.get_private_cookie(_VISITOR_COOKIE)
        if not visitor:
            visitor = self._new_visitor = secrets.token_urlsafe(_VISITOR_BYTES)
            self.set_private_cookie(_VISITOR_COOKIE, visitor)
        return visitor

    def _check_origin(self) -> None:
        """Refuse a change that a page of another origin asks for. Every browser names the origin of a form."""
        origin = self.request.headers.get("Origin")
        if origin is None:
            parts = urlsplit(self.request.headers.get("Referer", ""))
            origin = f"{parts.scheme}://{parts.netloc}"
        if origin != self.services.own_origin(self.request):
            raise Refused(HTTPStatus.FORBIDDEN, "This request came from another site.")

    # Cookies.

    @property
    def is_https(self) -> bool:
        """Whether the browser speaks https, if need be to a proxy in between."""
        return self.services.own_origin(self.request).startswith("https://")

    def get_private_cookie(self, name: str) -> str | None:
        """Return a cookie set by `set_private_cookie`."""
        return self.get_cookie(self._cookie_name(name))

    def set_private_cookie(self, name: str, value: str, expires_days: int | None = None) -> None:
        """Set a cookie that scripts cannot read and that other sites' forms do not carry.

        Lax, not Strict: whoever follows a link to a page of the dashboard in a chat must arrive signed in, and no
        link changes anything.
        """
        self.set_cookie(self._cookie_name(name), value, expires_days=expires_days, **self._cookie_options())

    def clear_private_cookie(self, name: str) -> None:
        """Delete a cookie set by `set_private_cookie`."""
        self.clear_cookie(self._cookie_name(name), **self._cookie_options())

    def _cookie_name(self, name: str) -> str:
        """Return the name in the browser: with https one that no other host, and no plain http, can set."""
        return ("__Host-" if self.is_https else "") + _COOKIE_PREFIX + name

    def _cookie_options(self) -> dict[str, Any]:
        return {"path": "/", "httponly": True, "secure": self.is_https, "samesite": "Lax"}

    # What is written down.

    async def audit(
        self,
        action: AuditAction,
        *,
        result: AuditResult = AuditResult.SUCCESS,
        operator: str | None = None,
        appid: str = "",
        openid: str = "",
        subject: str = "",
        **details: Any,
    ) -> None:
        """Write down what whoever is signed in did (or `operator`, before they are), to whom, and how it ended.

        Details are for people and never hold a secret, a token or a password; those that are None are left out.
        """
        if operator is None:
            operator = self.session.operator if self.session is not None else ""
        entry = NewAuditEntry(
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
        await self.run(self.services.audit.record, entry)

    # How it looks.

    def get_template_path(self) -> str:
        """Return the folder of the templates."""
        return str(_TEMPLATES)

    def get_template_namespace(self) -> dict[str, Any]:
        """Return what every template knows besides what its page gives it."""
        return {
            **super().get_template_namespace(),
            "assets": self.assets,
            "languages": self.languages,
            "link": _link,
            "may": self.may,
            "moment": self._moment,
            "navigation": [item for item in NAVIGATION if self.may(item.requires)],
            "notice": self._take_notice(),
            "now": self.services.clock.now(),
            "request_id": self.request_id,
            "Role": Role,
            "session": self.session,
            "with_language": self._with_language,
        }

    def redirect_with_notice(self, path: str, text: str, *values: str, good: bool = True) -> None:
        """Send the browser on, to a page that says what happened.

        Args:
            path: A path of the dashboard.
            text: An English sentence that the next page translates; `%s` stands for each value.
            values: What the sentence is about, shown as it is.
            good: Whether it is good news.
        """
        content = json.dumps([good, text, *values]).encode()
        self.set_private_cookie(_NOTICE_COOKIE, base64.urlsafe_b64encode(content).decode())
        self.redirect(path, status=HTTPStatus.SEE_OTHER)

    def get_user_locale(self) -> Locale | None:
        """Return the language that was chosen on a page."""
        return self.languages.get(self.get_query_argument("lang", "")) or self.languages.get(
            self.get_private_cookie(_LANGUAGE_COOKIE) or ""
        )

    def get_browser_locale(self, default: str = "en") -> Locale:
        """Return the language that the browser asks for."""
        return self.languages[preferred(self.languages, self.request.headers.get("Accept-Language", default))]

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Show what went wrong, and the request's id, by which the log has more."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        text = "Something went wrong. The log has more, under the id below."
        match error:
            case Refused():
                text = error.text
            case InvalidRecord():
                status_code, text = HTTPStatus.BAD_REQUEST, str(error)
            case StoreTooSlow():
                status_code, text = HTTPStatus.SERVICE_UNAVAILABLE, "This would take too long. Narrow the filters."
            case StoreUnavailable():
                status_code = HTTPStatus.SERVICE_UNAVAILABLE
                text = "The database does not answer just now. Try again in a moment."
            case HTTPError() if status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                text = "This request cannot be served."
        self.set_status(status_code)
        self.set_header("X-Request-Id", self.request_id)
        self.render("error.html", status=status_code, text=text)

    def log_exception(
        self, typ: "type[BaseException] | None", value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Log what needs somebody's attention, by path and request id."""
        place = f"{self.request.method} {self.request.path} [{self.request_id}]"
        if isinstance(value, HTTPError | InvalidRecord):
            _logger.debug("%s refused: %s", place, value)
        elif isinstance(value, StoreTooSlow | StoreUnavailable):
            _logger.warning("%s: %s", place, value)
        else:
            _logger.error("unforeseen failure in %s", place, exc_info=(typ, value, tb) if typ and value else None)

    def _remember_language(self) -> None:
        chosen = self.get_query_argument("lang", "")
        if chosen in self.languages:
            self.set_private_cookie(_LANGUAGE_COOKIE, chosen, expires_days=_YEAR_DAYS)

    def _with_language(self, code: str) -> str:
        """Return this page's address in another language; what answers a form has none, and leads to the start."""
        if self.request.method not in _SAFE_METHODS:
            return _link("/admin/", ("lang", code))
        arguments = [
            (name, value) for name, values in self.request.query_arguments.items() for value in values if name != "lang"
        ]
        return _link(self.request.path, *arguments, ("lang", code))

    def _take_notice(self) -> tuple[bool, str] | None:
        """Return the sentence that the page before left, once."""
        cookie = self.get_private_cookie(_NOTICE_COOKIE)
        if not cookie:
            return None
        self.clear_private_cookie(_NOTICE_COOKIE)
        try:
            good, text, *values = json.loads(base64.urlsafe_b64decode(cookie))
            return bool(good), self.locale.translate(str(text)) % tuple(values)
        except (ValueError, TypeError):
            return None

    def _moment(self, at: int | None, *, precise: bool = False) -> str:
        """Return HTML of a point in time, in UTC, to the minute or second; the script makes it the reader's own."""
        if at is None:
            never = self.locale.translate("never")
            return f'<span class="none">{xhtml_escape(never)}</span>'
        utc = datetime.fromtimestamp(at, UTC)
        shown = f"{utc:%Y-%m-%d %H:%M:%S}" if precise else f"{utc:%Y-%m-%d %H:%M}"
        return f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{shown} UTC</time>'


def _form_token(anchor: str) -> bytes:
    """Return the token for a session's or visitor's secret, which cannot be told from it."""
    return hashlib.sha256(b"form|" + anchor.encode("utf-8", "surrogatepass")).hexdigest().encode()


def _link(path: str, *arguments: tuple[str, Any]) -> str:
    """Return an address with a query; arguments that are None or empty are left out."""
    query = urlencode([(name, value) for name, value in arguments if value not in {None, "", b""}])
    return f"{path}?{query}" if query else path


#: A row of a page's route table.
AdminRoute = tuple[str, type[AdminHandler]]
