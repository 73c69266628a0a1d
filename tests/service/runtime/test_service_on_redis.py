"""The service with its authorizations in Redis, and everything else in SQLite."""

import asyncio
import json
from contextlib import closing
from dataclasses import replace

import pytest

from service.authorization.exchange import Browser
from service.wechat.protocol import Account
from storage.redis.store import RedisTokenStore
from tests.servers import redis_prefix_of_its_own, redis_server

pytestmark = pytest.mark.gen_test


@pytest.fixture
def settings(settings):
    with redis_prefix_of_its_own(redis_server()) as url:
        yield replace(settings, token_store="redis", token_store_url=url)


async def test_a_posted_code_is_stored_in_redis_and_answered_again(page, wechat, settings):
    code = wechat.issue_code(scope="snsapi_userinfo")
    answers = [await page.post_code(code) for _ in range(2)]
    assert [answer.code for answer in answers] == [200, 200]
    [openid] = {json.loads(answer.body)["openid"] for answer in answers}
    assert wechat.calls["access_token"] == 1
    with closing(RedisTokenStore.open(settings.token_store_url)) as store:
        assert store.get(settings.appid, openid).scope == "snsapi_userinfo"


async def test_instances_share_what_is_due_and_refresh_each_user_once(service, open_another, wechat, settings, clock):
    account = Account(settings.appid, settings.secret)
    codes = [wechat.issue_code(wechat.invent_person().id) for _ in range(30)]
    await asyncio.gather(*(service.exchange.exchange(account, code, Browser(b"b" * 32)) for code in codes))
    clock.advance(3 * 3600)
    others = [await open_another() for _ in range(2)]
    passes = await asyncio.gather(*(one.scheduler.run_pass() for one in (service, *others)))
    assert sum(one.total for one in passes) == len(codes)
    assert wechat.calls["refresh_token"] == len(codes)
