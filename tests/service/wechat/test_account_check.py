"""What the check of an account says of WeChat's answers, over HTTP."""

import json

import pytest

from service.wechat.account_check import CheckStatus, check_account
from service.wechat.client import WeChatClient
from service.wechat.endpoints import Endpoint
from service.wechat.protocol import Account

pytestmark = pytest.mark.gen_test

ACCOUNT = Account("wx0123456789abcdef", "0123456789abcdef0123456789abcdef")


@pytest.fixture
def check(start_peer, http_reply, answering, transport):
    """Check an account at a WeChat that answers so."""

    async def check_at(**answer):
        peer = await start_peer({Endpoint.EXCHANGE.path: answering(http_reply(json.dumps(answer).encode()))})
        return await check_account(WeChatClient(transport, api_url=peer.url), ACCOUNT)

    return check_at


async def test_a_refused_code_proves_that_the_account_is_good(check):
    assert (await check(errcode=40029, errmsg="invalid code")).status is CheckStatus.GOOD


@pytest.mark.parametrize(
    ("errcode", "remedy"), [(40243, "Unfreeze"), (40164, "IP list"), (61004, "IP list"), (50007, "mp.weixin.qq.com")]
)
async def test_an_account_that_is_not_in_order_is_told_with_where_to_mend_it(check, errcode, remedy):
    found = await check(errcode=errcode, errmsg="no")

    assert (found.status, found.errcode) == (CheckStatus.BAD, errcode)
    assert remedy in found.text


async def test_no_user_is_sent_anywhere_for_a_code_that_was_made_up(check):
    for answer in ({"errcode": -1, "errmsg": "system error"}, {"what": "is this"}):
        assert "authorize page" not in (await check(**answer)).text
