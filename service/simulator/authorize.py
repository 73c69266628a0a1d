"""The authorize page that users' browsers visit: silent for `snsapi_base`, asking for `snsapi_userinfo`."""

from urllib.parse import parse_qsl, urlencode

from tornado.web import HTTPError

from service.simulator.authorize_request import AuthorizeRequest, PageRefusal, read_authorize_request
from service.simulator.handler import SimulatorHandler
from service.simulator.people import Person
from service.simulator.texts import Texts, choose_language

__all__ = ["AUTHORIZE_PATH", "authorize_handlers"]

AUTHORIZE_PATH = "/connect/oauth2/authorize"

#: By what the page is counted.
_ENDPOINT = "authorize"

#: The cookie that remembers who was chosen last, for silent authorization.
_PERSON_COOKIE = "simulator_person"


class AuthorizeHandler(SimulatorHandler):
    """The page. It works without script and holds none."""

    def set_default_headers(self) -> None:
        """Forbid storing, since the replies hold codes, and everything that the page does not need."""
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Content-Type-Options", "nosniff")

    def get(self) -> None:
        """Send the browser back with a code, or ask the user first."""
        asked = self._read_request()
        if asked is None:
            return
        if asked.asks_user:
            self._ask(asked)
        else:
            self._allow(asked, self._remembered_person(), snapshot=False)

    def post(self) -> None:
        """Take the user's answer from the form of the page."""
        asked = self._read_request()
        if asked is None:
            return
        match self.get_body_argument("answer", ""):
            case "allow":
                person = self._chosen_person()
                self.set_cookie(_PERSON_COOKIE, person.id, path=AUTHORIZE_PATH, httponly=True, samesite="Lax")
                snapshot = asked.asks_user and self.get_body_argument("snapshot", "") == "true"
                self._allow(asked, person, snapshot=snapshot)
            case "deny":
                self._go_back(asked, code=None)
            case _:
                raise HTTPError(400)

    def _read_request(self) -> AuthorizeRequest | None:
        """Return what is asked for, or None once the error is shown."""
        self.wechat.calls[_ENDPOINT] += 1
        try:
            return read_authorize_request(self.request.query, self.wechat.accounts)
        except PageRefusal as refusal:
            self.wechat.note(_ENDPOINT, str(refusal.number))
            self.render("error.html", texts=self._texts(), number=refusal.number)
            return None

    def _ask(self, asked: AuthorizeRequest) -> None:
        self.wechat.note(_ENDPOINT, "asked")
        texts = self._texts()
        query = [(name, value) for name, value in parse_qsl(self.request.query, True) if name != "lang"]
        self.render(
            "consent.html",
            texts=texts,
            asked=asked,
            people=self._people_to_choose(),
            chosen=self._remembered_person(),
            other_language_url="?" + urlencode([*query, ("lang", texts.other_tag)]),
        )

    def _allow(self, asked: AuthorizeRequest, person: Person, *, snapshot: bool) -> None:
        code = self.wechat.issue_code(person.id, appid=asked.account.appid, scope=asked.scope, snapshot=snapshot)
        self._go_back(asked, code=code)

    def _go_back(self, asked: AuthorizeRequest, *, code: str | None) -> None:
        self.wechat.note(_ENDPOINT, "denied" if code is None else "code")
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

    def _texts(self) -> Texts:
        return choose_language(
            self.get_query_argument("lang", ""),
            self.request.headers.get("Accept-Language", ""),
        )


authorize_handlers: list[tuple[str, type[SimulatorHandler]]] = [(AUTHORIZE_PATH, AuthorizeHandler)]
