"""`GET /callback`: authorization of pages without script. WeChat sends the code here; the visitor goes on to the page.

What goes wrong arrives at the page as parameters of its address: `error`, `error_description`, and `errcode` and
`request_id` where there are any. A page that answers an error by authorizing again would go round for ever, so after
two failed rounds the visitor is shown what is wrong instead.
"""

from urllib.parse import urlencode, urlsplit

from service.authorization.states import Asked, InvalidState, Taker
from service.http.errors import DECLINED, ApiError
from service.http.handlers.base import Route
from service.http.handlers.page import PageServices
from service.http.handlers.visitor_page import VisitorPageHandler
from service.wechat.protocol import DECLINED_CODE, is_declined

__all__ = ["routes"]

_ROUNDS = 2
_ROUNDS_COOKIE = "wechat_openid_failed_rounds"
_ROUNDS_SECONDS = 300
_PARAMETERS = frozenset({"error", "error_description", "errcode", "request_id"})


class CallbackHandler(VisitorPageHandler):
    """Takes WeChat's answer, signs the browser in, and sends it to the page that asked."""

    def initialize(self, services: PageServices) -> None:
        """Take what the handler needs."""
        super().initialize(services)
        self._asked: Asked | None = None

    async def get(self) -> None:
        """Verify the state, exchange the code, set the session and go to the page; or tell it why not."""
        await self.check_rate(self.services.rate_limit)
        services = self.services
        code = self.get_query_argument("code", "")
        if not code or is_declined(code):
            code = DECLINED_CODE
        taker = Taker(through_callback=True)
        state = services.states.verify(self.get_query_argument("state", ""), self.browser_cookies, code, taker)
        asked = state.asked
        if not services.origins.admits(asked.redirect_uri):
            raise InvalidState("this authorization was not to end here")
        self._asked = asked
        if code == DECLINED_CODE:
            self.set_state_cookie(state)
            self._go_back({"error": DECLINED.kind, "error_description": DECLINED.errmsg})
            return
        await self.redeem(self.account(asked.appid), code, state)
        self._set_failed_rounds(0)
        self._go_back({})

    def write_refusal(self, error: ApiError) -> None:
        """Tell the page what went wrong; after too many rounds, or where no page is known, tell the visitor."""
        rounds = self._failed_rounds() + 1
        if self._asked is not None and rounds < _ROUNDS:
            self._set_failed_rounds(rounds)
            content = self.error_content(error)
            parameters = {"error": error.kind, "error_description": error.errmsg} | {
                name: str(content[name]) for name in ("errcode", "request_id") if name in content
            }
            self._go_back(parameters)
        else:
            self._set_failed_rounds(0)
            self.show_error(error, self._asked.redirect_uri if self._asked is not None else None)

    def _go_back(self, parameters: dict[str, str]) -> None:
        """Redirect to the page, whose own parameters stay; those of an earlier answer do not."""
        assert self._asked is not None
        page = urlsplit(self._asked.redirect_uri)
        kept = [pair for pair in page.query.split("&") if pair and pair.partition("=")[0] not in _PARAMETERS]
        query = "&".join([*kept, *([urlencode(parameters)] if parameters else [])])
        self.clear_header("Content-Type")
        self.clear_header("Retry-After")
        self.set_status(302)
        self.set_header("Location", page._replace(query=query).geturl())
        self.set_header("Referrer-Policy", "no-referrer")  # this address holds the code

    def _failed_rounds(self) -> int:
        """Return how often in a row this browser's authorization failed; a false count harms nobody but its sender."""
        return 1 if self.get_cookie(_ROUNDS_COOKIE) == "1" else 0

    def _set_failed_rounds(self, rounds: int) -> None:
        if rounds or self.get_cookie(_ROUNDS_COOKIE) is not None:
            self.set_plain_cookie(_ROUNDS_COOKIE, str(rounds), _ROUNDS_SECONDS if rounds else 0)


def routes(services: PageServices) -> list[Route]:
    """Return the route to which WeChat sends the visitors of pages without script."""
    return [(r"/callback", CallbackHandler, {"services": services})]
