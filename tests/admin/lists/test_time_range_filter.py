"""Ranges of time in filters: told from now or by days, the same way on every page that has them."""

import re
from datetime import UTC, datetime
from html import unescape
from zoneinfo import ZoneInfo

import pytest

from admin.lists.relative_range import AHEAD, PAST, RelativeRange
from admin.lists.time_range_filter import TimeRangeFilter
from admin.web.errors import PageError
from admin.web.time_zones import TIME_ZONE_COOKIE, PageTime
from service.simulator.people import DEFAULT_ACCOUNT
from storage.call_outcomes import CallFailures, FailedCall
from storage.sql.accounts.audit import AuditAction, AuditQuery, NewAuditEntry
from storage.sql.accounts.operators import Role
from storage.testing import a_grant
from storage.user_search import TimeRange
from tests.admin.operator_browser import text_of

APPID = DEFAULT_ACCOUNT.appid
SHANGHAI = ZoneInfo("Asia/Shanghai")
HOUR, DAY = 3600, 86_400
#: 2027-01-15 08:00 in UTC, 16:00 in Shanghai.
NOW = 1_800_000_000
USED = TimeRangeFilter("used", "used_from", "used_to")


def read(zone=UTC, now=NOW, **given):
    return USED.read({**dict.fromkeys(USED.names, ""), **given}, PageTime(now, zone))


def test_a_relative_range_moves_with_the_time(subtests):
    lengths = {"last-1h": HOUR, "last-24h": DAY, "last-7d": 7 * DAY, "last-30d": 30 * DAY}
    for word, length in lengths.items():
        with subtests.test(word=word):
            assert read(used=word) == TimeRange(NOW - length)
            assert read(used=word, now=NOW + 5) == TimeRange(NOW + 5 - length)
    assert RelativeRange.NEXT_3_DAYS.at(NOW, UTC) == TimeRange(NOW, NOW + 3 * DAY)


def test_days_told_from_now_begin_at_the_midnight_of_the_pages_zone():
    assert read(used="today") == TimeRange(NOW - 8 * HOUR, NOW + 16 * HOUR)
    assert read(SHANGHAI, used="today") == TimeRange(NOW - 16 * HOUR, NOW + 8 * HOUR)
    assert read(SHANGHAI, used="yesterday") == TimeRange(NOW - 40 * HOUR, NOW - 16 * HOUR)
    # The day on which summer time begins has 23 hours.
    new_york = ZoneInfo("America/New_York")
    noon = int(datetime(2027, 3, 14, 12, tzinfo=new_york).timestamp())
    today = read(new_york, noon, used="today")
    assert today.until - today.since == 23 * HOUR


def test_every_relative_range_is_offered_somewhere_and_has_a_length(subtests):
    assert {*PAST, *AHEAD} == set(RelativeRange)
    for word in RelativeRange:
        with subtests.test(word=word):
            assert word.at(NOW, SHANGHAI) != TimeRange()


def test_a_word_and_days_narrow_each_other():
    assert read(used="last-7d", used_to="2027-01-10") == TimeRange(NOW - 7 * DAY, NOW - 4 * DAY - 8 * HOUR)
    assert read(used="last-7d", used_from="2027-01-01") == TimeRange(NOW - 7 * DAY)


@pytest.mark.parametrize("word", ["last-2h", "next-3d", "LAST-1H", "%s", "last-24h " * 500])
def test_a_word_that_is_not_offered_is_refused(word):
    with pytest.raises(PageError):
        read(used=word)


def test_a_range_is_written_as_days_or_as_moments_and_read_again(subtests):
    for zone in (UTC, SHANGHAI):
        for span in (
            TimeRange(),
            read(zone, used="today"),
            read(zone, used_from="2027-01-01", used_to="2027-01-31"),
            TimeRange(NOW - 7 * DAY, NOW + 1),
            TimeRange(None, NOW),
        ):
            with subtests.test(zone=zone, span=span):
                assert read(zone, **USED.write(span, zone)) == span
    assert USED.write(read(SHANGHAI, used="today"), SHANGHAI) == {"used_from": "2027-01-15", "used_to": "2027-01-15"}
    assert USED.write(TimeRange(NOW), SHANGHAI) == {"used_from": "2027-01-15T16:00:00"}


@pytest.fixture
def somebody(service, clock):
    """A user who has just logged in, a call that has just failed, and an entry of the audit log."""
    clock.advance(NOW - clock.now())
    service.vault._store.save([a_grant("o1", appid=APPID)])
    service.dashboard.audit.record(
        NewAuditEntry(at=NOW, operator="ada", action=AuditAction.SIGN_OUT, result="success", request_id="the-entry")
    )
    call = FailedCall(NOW, request_id="the-call")
    service.dashboard.call_outcomes.add([], [CallFailures(APPID, "access_token", 40029, NOW, NOW, (call,))])


LISTS = {
    "/admin/users?authorized={}": "o1",
    "/admin/audit?time={}&action=sign_out": "the-entry",
    "/admin/failures?time={}": "the-call",
}


@pytest.mark.gen_test
@pytest.mark.usefixtures("somebody")
async def test_the_address_keeps_the_word_which_is_found_out_at_each_request(signed_in, clock, subtests):
    operator = signed_in(Role.OPERATOR)
    for path, found in LISTS.items():
        with subtests.test(path=path):
            page = text_of(await operator.get(path.format("last-1h")))
            assert f">{found}<" in page
            assert '<option value="last-1h" selected>last hour</option>' in page
    clock.advance(2 * HOUR)
    operator = signed_in(Role.OPERATOR)
    for path, found in LISTS.items():
        with subtests.test(path=path, later=True):
            assert f">{found}<" not in text_of(await operator.get(path.format("last-1h")))
            assert f">{found}<" in text_of(await operator.get(path.format("last-24h")))


@pytest.mark.gen_test
@pytest.mark.usefixtures("somebody")
async def test_today_is_the_viewers(signed_in, clock):
    clock.advance(9 * HOUR)  # 17:00 in UTC; in Shanghai the next day has begun
    viewer = signed_in(Role.VIEWER)
    for zone, is_there in (("UTC", True), ("Asia/Shanghai", False)):
        viewer.cookies[TIME_ZONE_COOKIE] = zone
        assert (">the-call<" in text_of(await viewer.get("/admin/failures?time=today"))) is is_there, zone


@pytest.mark.gen_test
@pytest.mark.usefixtures("somebody")
async def test_an_export_and_a_job_mean_the_same_users_as_the_list(signed_in, dashboard):
    operator = signed_in(Role.OPERATOR)
    page = text_of(await operator.get("/admin/users?authorized=last-30d"))
    export = unescape(re.search(r'href="(/admin/users\.csv[^"]*)"', page)[1])
    assert "authorized=last-30d" in export
    await operator.get(export)
    [entry] = dashboard.audit.page(AuditQuery(action="users_export")).entries
    assert entry.details["filter"] == "authorized=last-30d"
    assert "Filter: Last authorized = last 30 days" in text_of(await operator.get("/admin/audit"))
    await operator.post("/admin/jobs", action="check", whom="all", filter="authorized=last-30d")
    [job] = dashboard.jobs.list()
    assert job.target.filter.authorized == TimeRange(NOW - 30 * DAY)
    page = text_of(await operator.get(f"/admin/jobs/{job.id}"))
    assert "<dt>Authorized from</dt>\n<dd>2026-12-16 08:00:00</dd>" in page
    of_the_job = unescape(re.search(r'href="(/admin/users\?[^"]*)"', page)[1])
    page = text_of(await operator.get(of_the_job))
    assert 'type="datetime-local" name="authorized_from" value="2026-12-16T08:00:00"' in page


@pytest.mark.gen_test
async def test_a_filter_that_is_not_valid_keeps_its_form(signed_in, subtests):
    operator = signed_in(Role.OPERATOR)
    for path, name, value in (
        ("/admin/audit?operator=ada&time=odd", "operator", "ada"),
        ("/admin/audit?operator=ada&from=tomorrow", "from", "tomorrow"),
        ("/admin/audit?openid=o1&cursor=x", "openid", "o1"),
        ("/admin/failures?errcode=4x", "errcode", "4x"),
        ("/admin/failures?errcode=40029&to=odd", "errcode", "40029"),
    ):
        with subtests.test(path=path):
            response = await operator.get(path)
            page = text_of(response)
            assert response.code == 400
            assert f'name="{name}" value="{value}"' in page
            assert 'role="alert"' in page
            assert "<table" not in page


@pytest.mark.gen_test
async def test_the_address_of_a_form_is_short(signed_in, subtests):
    operator = signed_in(Role.OPERATOR)
    for path in ("/admin/users", "/admin/audit", "/admin/failures"):
        with subtests.test(path=path):
            response = await operator.get(f"{path}?from=&to=&openid=&appid=wx%261")
            assert (response.code, response.headers["Location"]) == (303, f"{path}?appid=wx%261")
