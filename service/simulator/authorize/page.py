"""The authorize pages over HTTP: that of Official Accounts, and the one of website apps with its QR code."""

from typing import ClassVar
from urllib.parse import parse_qsl, urlencode

from tornado.web import HTTPError

from service.simulator.authorize.request import AuthorizeRequest, ErrorPage, read_authorize_request
from service.simulator.authorize.texts import Texts, choose_language
from service.simulator.handler import SimulatorHandler
from service.simulator.people import LOGIN_SCOPES, SCOPES, Person

__all__ = ["AUTHORIZE_PATH", "QRCONNECT_PATH", "authorize_handlers"]

AUTHORIZE_PATH = "/connect/oauth2/authorize"
QRCONNECT_PATH = "/connect/qrconnect"

#: The cookie that remembers who was chosen last, for silent authorization.
_PERSON_COOKIE = "simulator_person"
_PERSON_COOKIE_PATH = "/connect"


class PageHandler(SimulatorHandler):
    """A page for browsers. It works without script and holds none."""

    def set_default_headers(self) -> None:
        """Forbid storing, since the replies hold codes, and everything that the page does not need."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header(
            "Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'"
        )
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Content-Type-Options", "nosniff")

    def texts(self) -> Texts:
        """Return the texts in the reader's language."""
        return choose_language(
            self.get_query_argument("lang", ""),
            self.request.headers.get("Accept-Language", ""),
        )


class AuthorizeHandler(PageHandler):
    """The page on which a user authorizes an Official Account: silent for `snsapi_base`, else asking."""

    #: By what the page is counted.
    endpoint: ClassVar[str] = "authorize"
    scopes: ClassVar[frozenset[str]] = SCOPES
    template: ClassVar[str] = "consent.html"

    def get(self) -> None:
        """Send the browser back with a code, or ask the user first."""
        asked = self._read_request()
        if asked is None:
            return
        if asked.asks_user:
            self._ask(asked)
        else:
            self._allow(asked, self._remembered_person(), snapshot=False)

    head = get

    def post(self) -> None:
        """Take the user's answer from the form of the page."""
        asked = self._read_request()
        if asked is None:
            return
        match self.get_body_argument("answer", ""):
            case "allow":
                person = self._chosen_person()
                self.set_cookie(_PERSON_COOKIE, person.id, path=_PERSON_COOKIE_PATH, httponly=True, samesite="Lax")
                snapshot = asked.may_be_snapshot and self.get_body_argument("snapshot", "") == "true"
                self._allow(asked, person, snapshot=snapshot)
            case "deny":
                self._deny(asked)
            case _:
                raise HTTPError(400)

    def _read_request(self) -> AuthorizeRequest | None:
        """Return what is asked for, or None once the error is shown."""
        self.wechat.calls[self.endpoint] += 1
        try:
            return read_authorize_request(self.request.query, self.wechat.accounts, self.scopes)
        except ErrorPage as error:
            self.wechat.note(self.endpoint, str(error.number))
            texts = self.texts()
            self.render("error.html", texts=texts, number=error.number, meaning=texts.errors[error.number])
            return None

    def _ask(self, asked: AuthorizeRequest, *, is_declined: bool = False) -> None:
        self.wechat.note(self.endpoint, "denied" if is_declined else "asked")
        texts = self.texts()
        query = [(name, value) for name, value in parse_qsl(self.request.query, True) if name != "lang"]
        self.render(
            self.template,
            texts=texts,
            is_declined=is_declined,
            asked=asked,
            people=self._people_to_choose(),
            chosen=self._remembered_person(),
            other_language_url="?" + urlencode([*query, ("lang", texts.other_tag)]),
        )

    def _allow(self, asked: AuthorizeRequest, person: Person, *, snapshot: bool) -> None:
        code = self.wechat.issue_code(person.id, appid=asked.account.appid, scope=asked.scope, snapshot=snapshot)
        self._go_back(asked, code, outcome="code")

    def _deny(self, asked: AuthorizeRequest) -> None:
        self._go_back(asked, "authdeny" if self.wechat.quirks.authdeny else None, outcome="denied")

    def _go_back(self, asked: AuthorizeRequest, code: str | None, *, outcome: str) -> None:
        self.wechat.note(self.endpoint, outcome)
        self.redirect(asked.return_url(code), status=302)

    def _people_to_choose(self) -> list[Person]:
        """Return who the page shows: the first ones, since load tests invent people by the thousand."""
        return list(self.wechat.people.values())[:20]

    def _chosen_person(self) -> Person:
        try:
            return self.wechat.find_person(self.get_body_argument("person", ""))
        except ValueError:
            raise HTTPError(400) from None

    def _remembered_person(self) -> Person:
        """Return who this browser chose last, or the first person."""
        remembered = self.get_cookie(_PERSON_COOKIE)
        return self.wechat.find_person(remembered if remembered in self.wechat.people else None)


class QrConnectHandler(AuthorizeHandler):
    """The page on which a user scans a QR code to sign in to a website app (网站应用); a button stands for the scan."""

    endpoint = "qrconnect"
    scopes = LOGIN_SCOPES
    template = "qrconnect.html"

    def _deny(self, asked: AuthorizeRequest) -> None:
        self._ask(asked, is_declined=True)


authorize_handlers: list[tuple[str, type[SimulatorHandler]]] = [
    (AUTHORIZE_PATH, AuthorizeHandler),
    (QRCONNECT_PATH, QrConnectHandler),
]
