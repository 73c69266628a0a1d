"""One time zone on a page: the viewer's where a browser tells it, otherwise that of the settings."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from admin.web.inputs import day_of, parse_midnight
from admin.web.time_zones import TIME_ZONE_COOKIE, time_zone_of
from service.authorization.exchange import Browser
from service.settings import SettingsError, load_settings
from storage.activity import Activity, ActivityKind
from storage.sql.accounts.operators import Role
from tests.admin.operator_browser import text_of

HOUR = 3600
#: 2027-01-15 08:00 in UTC.
NOW = 1_800_000_000


@pytest.fixture
def viewer_in(signed_in):
    def enter(zone):
        viewer = signed_in(Role.VIEWER)
        viewer.cookies[TIME_ZONE_COOKIE] = zone
        return viewer

    return enter


@pytest.fixture
def record(service, clock):
    async def one(at, count):
        await service.vault.record(
            [Activity(at - at % HOUR, service.settings.appid, ActivityKind.AUTHORIZED, 0, count)]
        )

    return one


@pytest.mark.gen_test
@pytest.mark.parametrize(("zone", "hour"), [("UTC", "08:00"), ("Asia/Shanghai", "16:00"), ("Asia/Kolkata", "13:30")])
async def test_charts_their_table_and_points_in_time_are_in_the_viewers_zone(viewer_in, record, clock, zone, hour):
    clock.advance(NOW - clock.now())
    await record(NOW, 7)
    page = text_of(await viewer_in(zone).get("/admin/overview"))
    assert f"<title>{hour}: 7</title>" in page
    assert re.search(rf'<th scope="row">01-15 {hour}</th>\s*<td class="number">7</td>', page)
    assert f">{zone}</span>" in page
    written = {text.removesuffix(" UTC")[-5:] for text in re.findall(r"<time[^>]*>([^<]+)</time>", page)}
    assert written <= {f"{hour[:3]}{minute:02}" for minute in range(60)}


@pytest.mark.gen_test
async def test_days_of_charts_begin_at_the_viewers_midnight(viewer_in, record, clock):
    clock.advance(NOW - clock.now())
    await record(NOW - 15 * HOUR, 3)  # 17:00 of the day before in UTC, 01:00 of this day in Shanghai
    rows = {"UTC": "01-14", "Asia/Shanghai": "01-15", "America/New_York": "01-14"}
    for zone, day in rows.items():
        page = text_of(await viewer_in(zone).get("/admin/overview?span=days"))
        assert re.search(rf'<th scope="row">{day}</th>\s*<td class="number">3</td>', page), zone


def test_days_of_filters_begin_at_the_viewers_midnight():
    shanghai = time_zone_of("Asia/Shanghai")
    begins = parse_midnight("2027-01-15", shanghai)
    assert datetime.fromtimestamp(begins, UTC).isoformat() == "2027-01-14T16:00:00+00:00"
    assert (day_of(begins, shanghai), day_of(begins - 1, shanghai)) == ("2027-01-15", "2027-01-14")
    # On the day that summer time begins, a day has 23 hours.
    new_york = time_zone_of("America/New_York")
    assert parse_midnight("2027-03-14", new_york, days_later=1) - parse_midnight("2027-03-14", new_york) == 23 * HOUR


@pytest.mark.gen_test
async def test_a_list_is_filtered_by_the_viewers_days(viewer_in, service, wechat, clock):
    account = service.settings.all_accounts()[0]
    redeemed = await service.exchange.exchange(account, wechat.issue_code(), Browser(b"binding"))
    for zone in ("UTC", "Asia/Shanghai", "Pacific/Kiritimati", "America/Los_Angeles"):
        viewer, here = viewer_in(zone), time_zone_of(zone)
        for days, is_there in ((-1, False), (0, True), (1, False)):
            day = day_of(clock.now() + days * 24 * HOUR, here)
            page = text_of(await viewer.get(f"/admin/users?authorized_from={day}&authorized_to={day}"))
            assert (redeemed.openid in page) is is_there, (zone, days)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "America", "../../etc/passwd", "/etc/localtime", "A" * 5000])
def test_a_name_that_is_no_zone_is_none(name):
    assert time_zone_of(name) is None


@pytest.mark.gen_test
async def test_a_cookie_that_names_no_zone_leaves_the_zone_of_the_settings(viewer_in):
    page = text_of(await viewer_in("../../etc/passwd").get("/admin/overview"))
    assert ">UTC</span>" in page


class TestWithoutScript:
    @pytest.fixture
    def settings(self, settings):
        return replace(settings, admin_timezone=ZoneInfo("Asia/Shanghai"))

    @pytest.mark.gen_test
    async def test_the_zone_is_that_of_the_settings(self, signed_in):
        assert ">Asia/Shanghai</span>" in text_of(await signed_in(Role.VIEWER).get("/admin/overview"))


def test_a_setting_that_names_no_zone_is_refused():
    with pytest.raises(SettingsError, match="ADMIN_TIMEZONE"):
        load_settings(environment={"WECHAT_OPENID_ADMIN_TIMEZONE": "Beijing"})
