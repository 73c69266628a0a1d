"""The overview: whether logins and refreshes work, and what is coming."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from admin.labels.overview import (
    ACTIVITY_LABELS,
    CHART_TITLES_PER_DAY,
    CHART_TITLES_PER_HOUR,
    FAILURE_LABELS,
    RISK_LABELS,
    SCHEMA_STATE_LABELS,
)
from admin.labels.users import STATUS_BADGES, STATUS_LABELS
from admin.overview.charts import Bar, bar_chart
from admin.web.counts import count_text
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.i18n import N_
from admin.web.inputs import day_of
from storage.activity import Activity, ActivityKind
from storage.base.clock import DAY_SECONDS, HOUR_SECONDS
from storage.base.errors import StorageError, StoreUnavailable
from storage.base.risks import StoreRisk
from storage.base.schema_report import SchemaReport, SchemaState
from storage.sql.accounts.operators import Role
from storage.sql.work.instances import Instance
from storage.store import Capability

__all__ = ["routes"]

_HOURS, _DAYS = 24, 14
_CHARTED = (ActivityKind.AUTHORIZED, ActivityKind.REFRESHED)
_FAILURES = (ActivityKind.EXCHANGE_FAILED, ActivityKind.REFRESH_FAILED, ActivityKind.REAUTHORIZATION_REQUIRED)
#: The endpoint of WeChat at which each of them happens: what to do about an errcode differs between them.
_FAILURE_ENDPOINTS = {
    ActivityKind.EXCHANGE_FAILED: "access_token",
    ActivityKind.REFRESH_FAILED: "refresh_token",
    ActivityKind.REAUTHORIZATION_REQUIRED: "refresh_token",
}
#: Rows of the table of failures.
_MOST_FAILURES = 12


@dataclass(frozen=True, slots=True)
class Series:
    """What happened, by the hour or by the day: the points in time and how often each kind did."""

    span: str
    starts: Sequence[int]
    counts: dict[ActivityKind, list[int]]

    def name(self, start: int) -> str:
        """Name an hour or a day."""
        return f"{datetime.fromtimestamp(start, UTC):%H:%M}" if self.span == "hours" else self.day(start)

    @staticmethod
    def day(start: int) -> str:
        """Name a day."""
        return f"{datetime.fromtimestamp(start, UTC):%m-%d}"


class OverviewHandler(AdminHandler):
    """`GET /admin/overview`: the state of everything, on a page."""

    requires = Role.VIEWER

    async def get(self) -> None:
        """Show it."""
        services = self.services
        now = services.clock.now()
        span = "days" if self.get_query_argument("span", "") == "days" else "hours"
        counts, forecast, activity, instances, schema, risks = await asyncio.gather(
            services.counts.get(),
            services.forecast.get(),
            self._activity(now),
            self._instances(now),
            self._schema(),
            self._risks(),
        )
        series = _series(activity, span, now)
        self.render(
            "overview.html",
            count_text=count_text,
            counts=counts,
            totals=Counter() if counts is None else _by_status(counts.value.by_status.items()),
            forecast_at=None if forecast is None else forecast.at,
            forecast=None if forecast is None else forecast.value,
            series=series,
            charts=[self._chart(series, kind) for kind in _CHARTED],
            kinds=(*_CHARTED, *_FAILURES),
            failures=_failures(one for one in activity if one.hour > now - DAY_SECONDS),
            instances=instances,
            schema=schema,
            risks=[RISK_LABELS[risk] for risk in risks],
            pauses=[(instance, pause) for instance in instances for pause in instance.pauses if pause.until > now],
            accounts=services.account_names,
            today=day_of(now),
            in_three_days=day_of(now + 3 * DAY_SECONDS),
            statuses=STATUS_LABELS,
            badges=STATUS_BADGES,
            labels=ACTIVITY_LABELS,
            failure_labels=FAILURE_LABELS,
            failure_endpoints=_FAILURE_ENDPOINTS,
            schema_states=SCHEMA_STATE_LABELS,
            store=services.store,
            key_ids=services.key_ids,
            SchemaState=SchemaState,
        )

    async def _activity(self, now: int) -> list[Activity]:
        if Capability.ACTIVITY not in self.services.vault.capabilities:
            return []
        return await self.services.vault.activity(now - _DAYS * DAY_SECONDS)

    async def _instances(self, now: int) -> Sequence[Instance]:
        return await self.run(self.services.instances.live, now)

    async def _schema(self) -> SchemaReport:
        return await self.services.vault.check_schema()

    async def _risks(self) -> Sequence[StoreRisk]:
        try:
            return await self.services.vault.risks()
        except StoreUnavailable:
            raise
        except StorageError:  # the server has been told to drop users since the service began
            return (StoreRisk.DROPS_USERS,)

    def _chart(self, series: Series, kind: ActivityKind) -> tuple[ActivityKind, str]:
        """Return a chart with its words in the page's language."""
        _ = self.locale.translate
        counts = series.counts[kind]
        every = 6 if series.span == "hours" else 3
        bars = [
            Bar(series.name(start), count, series.name(start) if place % every == 0 else "")
            for place, (start, count) in enumerate(zip(series.starts, counts, strict=True))
        ]
        titles = CHART_TITLES_PER_HOUR if series.span == "hours" else CHART_TITLES_PER_DAY
        description = _(N_("%(total)s in total; the highest bar is %(highest)s, at %(time)s."))
        highest = max(bars, key=lambda bar: bar.value)
        return kind, bar_chart(
            f"chart-{kind}",
            _(titles[kind]),
            description % {"total": f"{sum(counts):,}", "highest": f"{highest.value:,}", "time": highest.name},
            bars,
        )


def _series(activity: Iterable[Activity], span: str, now: int) -> Series:
    """Add up what happened in each of the last hours, or days."""
    length, number = (HOUR_SECONDS, _HOURS) if span == "hours" else (DAY_SECONDS, _DAYS)
    last = now - now % length
    starts = [last - length * back for back in range(number - 1, -1, -1)]
    counts = {kind: [0] * number for kind in ActivityKind}
    for one in activity:
        place = (one.hour - starts[0]) // length
        if 0 <= place < number:
            counts[one.kind][place] += one.count
    return Series(span, starts, counts)


def _failures(activity: Iterable[Activity]) -> list[tuple[ActivityKind, int, int]]:
    """Return the most frequent failures: kind, errcode, how often."""
    counted: Counter[tuple[ActivityKind, int]] = Counter()
    for one in activity:
        if one.kind in _FAILURES:
            counted[one.kind, one.errcode] += one.count
    return [(kind, errcode, count) for (kind, errcode), count in counted.most_common(_MOST_FAILURES)]


def _by_status(counts: Iterable[tuple[tuple[str, str], int]]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for (_, status), count in counts:
        totals[status] += count
    return totals


routes: list[AdminRoute] = [(r"/admin/overview", OverviewHandler)]
