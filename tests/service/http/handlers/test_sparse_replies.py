"""An exchange that WeChat answers with less than it documents: what must be there is `openid` and `access_token`."""

import json
from dataclasses import replace

import pytest
from tornado.web import Application, RequestHandler

from service.tokens.manager import NoAuthorization
from service.tokens.refresher import RefreshResult
from storage.sql.work.jobs import JobAction
from storage.users import Status
from tests.service.http.handlers.h5_browser import reply_of

pytestmark = pytest.mark.gen_test

OPENID = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"
CODE = "c" * 32


class Sns(RequestHandler):
    def get(self, endpoint):
        self.application.settings["asked"].append(endpoint)
        self.finish(json.dumps({"openid": OPENID, "access_token": "A" * 110}))


@pytest.fixture
def upstream():
    return Application([(r"/sns/oauth2/(\w+)", Sns)], asked=[])


@pytest.fixture
def settings(io_loop, settings, serve, upstream):
    return replace(settings, wechat_api_url=io_loop.run_sync(lambda: serve(upstream)))


@pytest.fixture
def stored(service):
    async def read():
        return await service.vault.get(service.settings.appid, OPENID)

    return read


async def test_the_visitor_is_known_and_the_token_is_good_for_the_documented_time(browser, service, stored, clock):
    response = await browser.post_code(CODE)

    assert (response.code, reply_of(response)["openid"]) == (200, OPENID)
    assert (await stored()).expires_at == clock.now() + 7200
    token = await service.tokens.get_valid_token(service.settings.appid, OPENID)
    assert token.access_token == "A" * 110


async def test_the_scope_is_what_was_asked(browser, stored):
    for code, scope in (("a" * 32, "snsapi_base"), ("b" * 32, "snsapi_userinfo")):
        response = await browser.post_code(code, state=await browser.begin(scope=scope))
        assert reply_of(response)["scope"] == scope
        assert (await stored()).scope == scope


async def test_the_scope_is_what_was_asked_through_the_callback(browser, stored):
    state = await browser.begin(flow="callback", scope="snsapi_userinfo")
    response = await browser.fetch(f"/callback?code={CODE}&state={state}")

    assert response.code == 302
    assert (await stored()).scope == "snsapi_userinfo"


async def test_without_a_state_the_scope_is_the_narrow_one(browser, stored):
    await browser.post_code(CODE)

    assert (await stored()).scope == "snsapi_base"


async def test_without_a_refresh_token_the_grant_lives_as_long_as_its_access_token(
    browser, service, stored, clock, upstream
):
    await browser.post_code(CODE)
    appid = service.settings.appid
    assert (await stored()).next_refresh_at is None
    assert (await stored()).refresh_expires_at == (await stored()).expires_at

    clock.advance(7000)
    assert (await service.tokens.get_valid_token(appid, OPENID, minimum_seconds=600)).access_token == "A" * 110
    assert (await service.tokens.refresh_now(appid, OPENID)).result is RefreshResult.LEFT_TO_USE
    told = await service.dashboard.users.perform(JobAction.REFRESH, appid, OPENID)
    assert (told.succeeded, told.result) == (False, "no_refresh_token")

    clock.advance(200)
    with pytest.raises(NoAuthorization):
        await service.tokens.get_valid_token(appid, OPENID)
    assert (await stored()).status is Status.REAUTHORIZATION_REQUIRED
    assert ((await stored()).last_error_code, (await stored()).last_error_kind) == (42002, "reauthorize")
    assert upstream.settings["asked"] == ["access_token"]


async def test_a_new_authorization_makes_such_a_grant_good_again(browser, service, stored, clock):
    await browser.post_code(CODE)
    clock.advance(7200)
    with pytest.raises(NoAuthorization):
        await service.tokens.get_valid_token(service.settings.appid, OPENID)

    assert (await browser.post_code("d" * 32)).code == 200
    assert (await stored()).status is Status.ACTIVE
