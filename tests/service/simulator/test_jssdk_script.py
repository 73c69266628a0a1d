"""The simulator's check of `wx.config`: by account, domain, ticket and address; and its script for pages."""

import hashlib
import json

import pytest
from calmjs.parse import es5

from service.simulator.replies import Quirks

pytestmark = pytest.mark.gen_test

APPID, SECRET = "wx0000000000000001", "first-secret"
LANDED, CURRENT = "https://h5.example.com/?code=1&state=2", "https://h5.example.com/shop"
IPHONE = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) MicroMessenger/8.0.50"}
ANDROID = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0.50"}


def ticket_of(wechat, appid=APPID, secret=SECRET, kind="jsapi"):
    token = wechat.account_tokens.stable_token(
        grant_type="client_credential", appid=appid, secret=secret, force_refresh=False
    )
    return wechat.account_tokens.ticket(access_token=token["access_token"], ticket_type=kind)["ticket"]


@pytest.fixture
def verdict(fetch):
    async def verdict(ticket, signed, *, headers=ANDROID, **changes):
        text = f"jsapi_ticket={ticket}&noncestr=n&timestamp=1&url={signed}"
        query = {
            "appid": APPID,
            "noncestr": "n",
            "timestamp": "1",
            "signature": hashlib.sha1(text.encode()).hexdigest(),
            "landing": LANDED,
            "current": CURRENT,
        }
        response = await fetch("/simulator/wx-config", query | changes, headers=headers)
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        return json.loads(response.body)["errMsg"]

    return verdict


async def test_iphones_want_the_landing_address_signed_and_others_the_current_one(wechat, verdict):
    ticket = ticket_of(wechat)
    assert await verdict(ticket, LANDED, headers=IPHONE) == "config:ok"
    assert await verdict(ticket, CURRENT, headers=IPHONE) == "config:invalid signature"
    assert await verdict(ticket, CURRENT) == "config:ok"
    assert await verdict(ticket, LANDED) == "config:invalid signature"
    assert wechat.outcomes["wx.config"] == {"ok": 2, "invalid signature": 2}


async def test_a_quirk_has_the_landing_address_signed_everywhere(wechat, verdict):
    wechat.quirks = Quirks(landing_signed_everywhere=True)
    assert await verdict(ticket_of(wechat), LANDED) == "config:ok"


async def test_only_a_living_jsapi_ticket_of_the_account_signs(wechat, verdict):
    ticket = ticket_of(wechat)
    assert await verdict(ticket_of(wechat, kind="wx_card"), CURRENT) == "config:invalid signature"
    assert (
        await verdict(ticket_of(wechat, "wx0000000000000002", "second-secret"), CURRENT) == "config:invalid signature"
    )
    assert await verdict(ticket, CURRENT, timestamp="2") == "config:invalid signature"
    wechat.advance(7200)
    assert await verdict(ticket, CURRENT) == "config:invalid signature"


async def test_the_account_and_its_domains_are_checked(wechat, verdict):
    ticket = ticket_of(wechat, "wx0000000000000002", "second-secret")
    second = {"appid": "wx0000000000000002"}
    assert await verdict(ticket, CURRENT, **second) == "config:ok"
    assert await verdict(ticket, "https://[", current="https://[", **second) == "config:invalid url domain"
    elsewhere = "https://www.example.com/"
    assert await verdict(ticket, elsewhere, current=elsewhere, **second) == "config:invalid url domain"
    assert await verdict(ticket, CURRENT, appid="wx-unknown") == "config:invalid appid"


async def test_pages_of_all_origins_may_load_the_script_under_wechats_path(fetch):
    for version in ("1.6.0", "1.4.0"):
        response = await fetch(f"/open/js/jweixin-{version}.js")
        assert response.code == 200
        assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        es5(response.body.decode())
