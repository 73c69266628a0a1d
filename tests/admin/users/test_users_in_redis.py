"""The pages about users where the token store cannot filter and sort by everything."""

import re
from dataclasses import replace

import pytest

from admin.web.links import user_path
from service.simulator.people import DEFAULT_ACCOUNT
from storage.sql.accounts.operators import Role
from storage.testing import a_grant
from tests.admin.operator_browser import text_of
from tests.servers import redis_prefix_of_its_own, redis_server

pytestmark = pytest.mark.gen_test

APPID = DEFAULT_ACCOUNT.appid


@pytest.fixture
def settings(settings):
    with redis_prefix_of_its_own(redis_server()) as url:
        yield replace(settings, token_store="redis", token_store_url=url)


@pytest.fixture
def users(service):
    """Store some users; one of them has another account's unionid, one is revoked."""
    users = [a_grant(f"o-{number}", appid=APPID) for number in range(3)]
    same = replace(users[0], appid="wx-other", unionid="u-1")
    service.vault._store.save([replace(users[0], unionid="u-1"), *users[1:], same])
    service.vault._store.revoke(APPID, "o-1")


def listed(response):
    assert response.code == 200, response.code
    return re.findall(r'href="/admin/users/([^/"]+/[^/"]+)"', text_of(response))


async def test_users_are_listed_and_found_by_what_the_store_can_find(users, signed_in, service):
    viewer = signed_in(Role.VIEWER)
    newest_first = ["wx-other/o-0", f"{APPID}/o-2", f"{APPID}/o-1", f"{APPID}/o-0"]
    assert listed(await viewer.get("/admin/users")) == newest_first
    assert listed(await viewer.get("/admin/users?order=up")) == newest_first[::-1]
    assert listed(await viewer.get("/admin/users?status=revoked")) == [f"{APPID}/o-1"]
    assert listed(await viewer.get("/admin/users?appid=wx-other")) == ["wx-other/o-0"]
    assert listed(await viewer.get("/admin/users?by=openid&match=exact&q=o-0")) == ["wx-other/o-0", f"{APPID}/o-0"]
    assert listed(await viewer.get("/admin/users?by=unionid&match=exact&q=u-1")) == ["wx-other/o-0", f"{APPID}/o-0"]
    service.vault._store.set_external_id(APPID, "o-2", "m-2")
    assert listed(await viewer.get("/admin/users?match=exact&q=m-2")) == [f"{APPID}/o-2"]
    others = await viewer.get(user_path(APPID, "o-0"))
    assert "/admin/users/wx-other/o-0" in text_of(others)


async def test_only_filters_and_orders_that_the_store_has_are_offered(users, signed_in):
    page = text_of(await signed_in(Role.VIEWER).get("/admin/users"))
    form = page.partition('action="/admin/users"')[2].partition("</form>")[0]
    offered = set(re.findall(r'<(?:input|select)[^>]* name="(\w+)"', form))
    assert offered == {"by", "match", "q", "status", "appid"}
    assert set(re.findall(r'<option value="(openid|unionid|nickname|external_id)"', page)) == {
        "openid",
        "unionid",
        "external_id",
    }
    assert "starts with" not in page
    assert set(re.findall(r"[?&;]sort=(\w+)", page)) == {"id"}


@pytest.mark.parametrize("query", ["scope=snsapi_base", "q=o", "sort=last_used_at", "used_from=2027-01-01"])
async def test_an_address_that_asks_for_more_is_told_so(users, signed_in, query):
    response = await signed_in(Role.VIEWER).get(f"/admin/users?{query}")
    assert response.code == 400
    assert "The token store in use cannot filter or sort by this." in text_of(response)


async def test_every_user_is_exported(users, signed_in):
    response = await signed_in(Role.OPERATOR).get("/admin/users.csv")
    assert response.code == 200
    assert len(text_of(response).splitlines()) == 1 + 4
