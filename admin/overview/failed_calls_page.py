"""The last failed calls to WeChat, one by one, by which a person finds a visitor's request in the log."""

from admin.labels.overview import CALL_LABELS
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.inputs import parse_number, parse_text
from admin.web.links import link
from storage.base.clock import DAY_SECONDS
from storage.call_outcomes import LATEST_FAILURES
from storage.sql.accounts.operators import Role

__all__ = ["failures_link", "routes"]

_PATH = "/admin/failures"
#: How an address asks for calls that got no usable answer.
_NO_ANSWER = "none"
_MOST_ROWS = 200


def failures_link(endpoint: str, errcode: int | None, appid: str = "") -> str:
    """Return the address of the last failed calls to an endpoint with an errcode, of an account or of all."""
    word = _NO_ANSWER if errcode is None else errcode
    return link(_PATH, ("appid", appid), ("endpoint", endpoint), ("errcode", word))


class FailedCallsHandler(AdminHandler):
    """`GET /admin/failures`: the last failed calls, newest first, of one account, endpoint or errcode if asked so."""

    requires = Role.VIEWER

    async def get(self) -> None:
        """Show them."""
        appid, endpoint, word = (
            parse_text(self.get_query_argument(name, "")) for name in ("appid", "endpoint", "errcode")
        )
        errcode = None if word == _NO_ANSWER else parse_number(word)
        found = await self.run(self.services.call_outcomes.failures, self.services.clock.now() - DAY_SECONDS)
        calls = [
            (failures, call)
            for failures in found
            for call in failures.latest
            if appid in {"", failures.appid}
            and endpoint in {"", failures.endpoint}
            and (not word or failures.errcode == errcode)
        ]
        self.render(
            "overview/failed_calls.html",
            calls=sorted(calls, key=lambda pair: pair[1].at, reverse=True)[:_MOST_ROWS],
            accounts=self.services.account_names,
            call_labels=CALL_LABELS,
            most=LATEST_FAILURES,
        )


routes: list[AdminRoute] = [(_PATH, FailedCallsHandler)]
