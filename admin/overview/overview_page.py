"""The overview: whether logins and refreshes work, and what is coming."""

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta, tzinfo
from typing import Any

from admin.labels.overview import (
    ACTIVITY_LABELS,
    BROKEN_LABELS,
    CALL_LABELS,
    CHART_TITLES_PER_DAY,
    CHART_TITLES_PER_HOUR,
    CONCERN_LABELS,
    CONCERN_MEANINGS,
    HEADLINES,
    HEALTH_LABELS,
    HEALTH_TONES,
    RISK_LABELS,
    SCHEMA_STATE_LABELS,
    SOME_BROKEN_HEADLINE,
    STORE_DOWN_HEADLINE,
    WORK_LABELS,
    WORK_LABELS_THIS_HOUR,
)
from admin.labels.users import STATUS_BADGES, STATUS_LABELS
from admin.lists.counts import count_text
from admin.overview.charts import Bar, bar_chart
from admin.overview.failed_calls_page import failures_link
from admin.overview.failures import group_failures
from admin.overview.verdict import ENDPOINTS, Health, Share, Verdict, Work, broken_calls, judge, together
from admin.web.handler import AdminHandler, AdminRoute
from admin.web.i18n import N_
from storage.activity import Activity, ActivityKind, hour_of
from storage.base.clock import DAY_SECONDS, HOUR_SECONDS
from storage.base.errors import StorageError, StoreUnavailable
from storage.base.risks import StoreRisk
from storage.base.schema_report import SchemaReport, SchemaState
from storage.call_outcomes import CallFailures, CallOutcome
from storage.sql.accounts.operators import Role
from storage.sql.work.instances import Instance
from storage.store import Capability

__all__ = ["routes"]

_HOURS, _DAYS = 24, 14
#: Rows of the table of accounts; the worst stand first.
_MOST_ACCOUNTS = 50
_CHARTED = (ActivityKind.AUTHORIZED, ActivityKind.REFRESHED)
_FAILURES = (ActivityKind.EXCHANGE_FAILED, ActivityKind.REFRESH_FAILED, ActivityKind.REAUTHORIZATION_REQUIRED)
#: What stands on top of each chart's bars.
_FAILED_OF = {
    ActivityKind.AUTHORIZED: ActivityKind.EXCHANGE_FAILED,
    ActivityKind.REFRESHED: ActivityKind.REFRESH_FAILED,
}


@dataclass(frozen=True, slots=True)
class Series:
    """What happened, by the hour or by the day: the points in time and how often each kind did."""

    span: str
    starts: Sequence[int]
    counts: dict[ActivityKind, list[int]]
    zone: tzinfo

    def name(self, start: int) -> str:
        """Name an hour or a day."""
        return f"{datetime.fromtimestamp(start, self.zone):%H:%M}" if self.span == "hours" else self.day(start)

    def day(self, start: int) -> str:
        """Name a day."""
        return f"{datetime.fromtimestamp(start, self.zone):%m-%d}"


class OverviewHandler(AdminHandler):
    """`GET /admin/overview`: the state of everything, on a page."""

    requires = Role.VIEWER

    async def get(self) -> None:
        """Show it."""
        services = self.services
        now = services.clock.now()
        span = "days" if self.get_query_argument("span", "") == "days" else "hours"
        counts, forecast, activity, instances, (schema, risks), (outcomes, seen) = await asyncio.gather(
            services.counts.get(),
            services.forecast.get(),
            self._activity(now),
            self.run(services.instances.live, now),
            self._store(),
            self._calls(now),
        )
        series = _series(activity or (), span, now, self.time_zone)
        self.render(
            "overview/overview.html",
            **self._verdict(activity, outcomes, instances, now),
            count_text=count_text,
            counts=counts,
            totals=Counter() if counts is None else _by_status(counts.value.by_status.items()),
            forecast_at=None if forecast is None else forecast.at,
            forecast=None if forecast is None else forecast.value,
            series=series,
            charts=[self._chart(series, kind) for kind in _CHARTED],
            kinds=(*_CHARTED, *_FAILURES),
            failures=group_failures(
                (one for one in activity or () if one.hour > now - DAY_SECONDS), seen, services.accounts.concern
            ),
            instances=instances,
            schema=schema,
            risks=[RISK_LABELS[risk] for risk in risks],
            accounts=services.account_names,
            statuses=STATUS_LABELS,
            badges=STATUS_BADGES,
            labels=ACTIVITY_LABELS,
            failed_of=_FAILED_OF,
            call_labels=CALL_LABELS,
            concern_labels=CONCERN_LABELS,
            concern_meanings=CONCERN_MEANINGS,
            failures_link=failures_link,
            schema_states=SCHEMA_STATE_LABELS,
            store=services.store,
            key_ids=services.key_ids,
            SchemaState=SchemaState,
        )

    def _verdict(
        self,
        activity: Sequence[Activity] | None,
        outcomes: Sequence[CallOutcome],
        instances: Sequence[Instance],
        now: int,
    ) -> dict[str, Any]:
        """Return what the page says first; `activity` is None where the token store does not answer."""
        accounts = self.services.accounts
        this_hour = [one for one in activity or () if one.hour == hour_of(now)]
        verdicts = judge(accounts.summaries, outcomes, this_hour, accounts.concern)
        overall = together(verdicts.values())
        told = [pause for instance in instances for pause in instance.pauses if pause.until > now]
        headline, health = self._headline(verdicts, overall)
        if activity is None:
            headline, health = self.locale.translate(STORE_DOWN_HEADLINE), Health.FAILING
            overall = Verdict({work: replace(flow, health=Health.FAILING) for work, flow in overall.flows.items()})
            verdicts = {}
        return {
            "headline": headline,
            "headline_health": health,
            "overall": overall,
            "verdicts": sorted(verdicts.items(), key=lambda item: list(Health).index(item[1].worst))[:_MOST_ACCOUNTS],
            "broken": broken_calls(outcomes, [*told, *accounts.pauses()], list(self.services.account_names)),
            "store_answers": activity is not None,
            "broken_labels": BROKEN_LABELS,
            "endpoints": ENDPOINTS,
            "work_labels": WORK_LABELS,
            "health_labels": HEALTH_LABELS,
            "tones": HEALTH_TONES,
            "labels_this_hour": WORK_LABELS_THIS_HOUR,
            "share_text": self._share_text,
        }

    def _headline(self, verdicts: Mapping[str, Verdict], overall: Verdict) -> tuple[str, Health]:
        """Return the sentence that the page begins with, and how good it is."""
        _ = self.locale.translate
        login, refresh = overall.flows[Work.LOGIN].health, overall.flows[Work.REFRESH].health
        broken = sum(verdict.flows[Work.LOGIN].health is Health.FAILING for verdict in verdicts.values())
        if 0 < broken < len(verdicts):
            return _(SOME_BROKEN_HEADLINE) % {"broken": broken, "all": len(verdicts)}, Health.FAILING
        if login in {Health.FAILING, Health.PARTLY}:
            return _(HEADLINES[Work.LOGIN, login]), login
        if refresh in {Health.FAILING, Health.PARTLY}:
            return _(HEADLINES[Work.REFRESH, refresh]), Health.PARTLY
        return _(HEADLINES[Work.LOGIN, login]), login

    def _share_text(self, share: Share) -> str:
        """Return what this hour's work came to."""
        _ = self.locale.translate
        numbers = {"succeeded": f"{share.succeeded:,}", "tried": f"{share.tried:,}", "percent": share.percent}
        if share.tried:
            text = _(N_("%(succeeded)s of %(tried)s succeeded (%(percent)s %%)")) % numbers
        else:
            text = _(N_("none tried"))
        if share.visitors:
            text += " · " + _(N_("%s refused for the visitor's own reasons")) % f"{share.visitors:,}"
        return text

    async def _activity(self, now: int) -> list[Activity] | None:
        """Return what the token store has counted; None where it does not answer."""
        if Capability.ACTIVITY not in self.services.vault.capabilities:
            return []
        try:
            return await self.services.vault.activity(now - _DAYS * DAY_SECONDS)
        except StoreUnavailable:
            return None

    async def _calls(self, now: int) -> tuple[Sequence[CallOutcome], Sequence[CallFailures]]:
        stored = self.services.call_outcomes
        return await asyncio.gather(self.run(stored.outcomes), self.run(stored.failures, now - DAY_SECONDS))

    async def _store(self) -> tuple[SchemaReport | None, Sequence[StoreRisk]]:
        """Return how the token store's tables are and what it may lose; nothing of it where it does not answer."""
        try:
            return await self.services.vault.check_schema(), await self._risks()
        except StoreUnavailable:
            return None, ()

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
        failed = series.counts[_FAILED_OF[kind]]
        bars = [
            Bar(series.name(start), counts[place], series.name(start) if place % every == 0 else "", failed[place])
            for place, start in enumerate(series.starts)
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


def _series(activity: Iterable[Activity], span: str, now: int, zone: tzinfo) -> Series:
    """Add up what happened in each of the last hours, or days of a zone."""
    if span == "hours":
        starts = [hour_of(now) - HOUR_SECONDS * back for back in range(_HOURS - 1, -1, -1)]
    else:
        today = datetime.fromtimestamp(now, zone).date()
        days = [today - timedelta(back) for back in range(_DAYS - 1, -1, -1)]
        starts = [int(datetime.combine(day, time.min, zone).timestamp()) for day in days]
    counts = {kind: [0] * len(starts) for kind in ActivityKind}
    for one in activity:
        place = bisect_right(starts, one.hour) - 1
        if place >= 0:
            counts[one.kind][place] += one.count
    return Series(span, starts, counts, zone)


def _by_status(counts: Iterable[tuple[tuple[str, str], int]]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for (_, status), count in counts:
        totals[status] += count
    return totals


routes: list[AdminRoute] = [(r"/admin/overview", OverviewHandler)]
