"""The last failed calls to WeChat, one by one, by which a person finds a visitor's request in the log."""

from collections.abc import Mapping, Sequence

from admin.labels.overview import CALL_LABELS
from admin.lists.relative_range import RelativeRange
from admin.lists.short_address import redirect_to_short_address
from admin.lists.time_range_filter import TimeRangeFilter
from admin.web.errors import PageError
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.inputs import parse_number, parse_text
from admin.web.links import link
from storage.call_outcomes import LATEST_FAILURES, CallFailures, FailedCall
from storage.sql.accounts.operators import Role

__all__ = ["failures_link", "routes"]

_PATH = "/admin/failures"
#: How an address asks for calls that got no usable answer.
_NO_ANSWER = "none"
_MOST_ROWS = 200
_TIME = TimeRangeFilter("time", "from", "to")
_FILTERS = ("appid", "endpoint", "errcode", *_TIME.names)


def failures_link(endpoint: str, errcode: int | None, appid: str = "", time: RelativeRange | None = None) -> str:
    """Return the address of the last failed calls to an endpoint with an errcode, of an account or of all."""
    word = _NO_ANSWER if errcode is None else errcode
    return link(_PATH, ("appid", appid), ("endpoint", endpoint), ("errcode", word), (_TIME.word, time))


class FailedCallsHandler(AdminHandler):
    """`GET /admin/failures`: the last failed calls that the address's filter matches, newest first."""

    requires = Role.VIEWER

    async def get(self) -> None:
        """Show them."""
        if redirect_to_short_address(self):
            return
        given = {name: parse_text(self.get_query_argument(name, "").strip()) for name in _FILTERS}
        found = await self.run(self.services.call_outcomes.failures, 0)
        try:
            calls, problem = self._matching(found, given), ""
        except PageError as error:
            self.set_status(error.status_code)
            calls, problem = [], error.text
        self.render(
            "overview/failed_calls.html",
            calls=sorted(calls, key=lambda pair: pair[1].at, reverse=True)[:_MOST_ROWS],
            is_cut=len(calls) > _MOST_ROWS,
            most_rows=_MOST_ROWS,
            problem=problem,
            given=given,
            span=_TIME,
            errcodes=sorted({one.errcode for one in found if one.errcode is not None}),
            no_answer=_NO_ANSWER,
            accounts=self.services.account_names,
            call_labels=CALL_LABELS,
            most=LATEST_FAILURES,
        )

    def _matching(
        self, found: Sequence[CallFailures], given: Mapping[str, str]
    ) -> list[tuple[CallFailures, FailedCall]]:
        """Return the calls that a filter matches.

        Raises:
            PageError: The filter is not valid.
        """
        word = given["errcode"]
        errcode = None if word == _NO_ANSWER else parse_number(word)
        span = _TIME.read(given, self.page_time)
        return [
            (failures, call)
            for failures in found
            for call in failures.latest
            if given["appid"] in {"", failures.appid}
            and given["endpoint"] in {"", failures.endpoint}
            and (not word or failures.errcode == errcode)
            and call.at in span
        ]


routes: list[AdminRoute] = [(_PATH, FailedCallsHandler)]
