"""A flood of made-up codes from many networks, at a WeChat that limits an account's calls: real visitors get in."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from tornado.web import Application, RequestHandler

from service.runtime.app import make_public_app
from service.settings import load_settings
from tests.service.http.handlers.h5_browser import PAGE_ORIGIN, Browser, reply_of
from tests.service.metric_values import metric_value

pytestmark = [
    pytest.mark.gen_test(timeout=120),
    pytest.mark.attack(
        "WeChat's quota", "any client, from many networks", "made-up codes spend an account's calls", "visitors get in"
    ),
]

#: A fiftieth of WeChat's 50,000 and of the default budget and limit.
QUOTA, BUDGET, RATE = 1000, 800, "12/minute"
#: From 1,000 networks of IPv6 in 20 /48s, and as many addresses of IPv4 in 100 /24s.
NETWORKS = [f"2001:db8:{a:x}:{b:x}::1" for a in range(20) for b in range(0, 50 * 256, 256)]
ADDRESSES = [f"10.{a}.{b}.1" for a in range(1, 11) for b in range(100)]


class LimitedWeChat(RequestHandler):
    """Takes codes that begin with `good`, and answers 45011 to the calls of a minute after the first so many."""

    def initialize(self, calls, clock):
        self.calls, self.clock = calls, clock

    async def get(self):
        await self.answer()

    async def post(self):
        await self.answer()

    async def answer(self):
        minute = self.clock.now() // 60
        self.calls[minute] += 1
        code = self.get_argument("code")
        if self.calls[minute] > QUOTA:
            self.write({"errcode": 45011, "errmsg": "api minute-quota reach limit"})
        elif code.startswith("good"):
            tokens = {"access_token": "a" * 40, "refresh_token": "r" * 40, "expires_in": 7200}
            self.write({**tokens, "openid": f"o-{code}", "scope": "snsapi_base"})
        else:
            self.write({"errcode": 40029, "errmsg": "invalid code"})


@pytest.fixture
def calls():
    return Counter()


@pytest.fixture
def settings(settings, io_loop, serve, calls, clock):
    limited = Application([(r"/sns/oauth2/access_token", LimitedWeChat, {"calls": calls, "clock": clock})])
    return replace(
        settings,
        wechat_api_url=io_loop.run_sync(lambda: serve(limited)),
        trusted_proxies=load_settings(environment={"WECHAT_OPENID_TRUSTED_PROXIES": "127.0.0.1"}).trusted_proxies,
        rate_limit=RATE,
        exchange_budget=BUDGET,
    )


@pytest.fixture
def visitor_from(http, public_url):
    return lambda address: AddressedBrowser(http, public_url, address=address)


class AddressedBrowser(Browser):
    """A browser whose requests come by a proxy that names its address."""

    def __init__(self, *args, address):
        super().__init__(*args)
        self.address = address

    async def fetch(self, path, *, method="GET", body=None, headers=None):
        sent = {"X-Forwarded-For": self.address, **(headers or {})}
        return await super().fetch(path, method=method, body=body, headers=sent)


async def flood(visitor_from, addresses, each, *, state=False):
    """Post made-up codes from all addresses; return how often each status was the answer."""
    statuses = Counter()
    for number in range(each):
        for address in addresses:
            attacker = visitor_from(address)
            fields = {}
            if state:
                begun = await attacker.fetch(f"/authorize?redirect_uri={PAGE_ORIGIN}/")
                if begun.code != 302:
                    statuses[begun.code] += 1
                    continue
                fields["state"] = begun.headers["Location"].partition("state=")[2].partition("#")[0]
            posted = await attacker.post_code(f"bad-{address.replace(':', '-').replace('.', '-')}-{number}", **fields)
            statuses[posted.code] += 1
    return statuses


async def test_visitors_get_in_while_strangers_from_a_thousand_networks_send_codes(visitor_from, calls, clock, service):
    regular = visitor_from("203.0.113.1")
    assert (await regular.post_code("good-morning")).code == 200
    clock.advance(60)
    statuses = await flood(visitor_from, ADDRESSES, 1)
    assert statuses[503] > 0
    assert calls[clock.now() // 60] == BUDGET // 2

    assert (await regular.post_code("good-with-a-session")).code == 200
    at_the_same_address = visitor_from("203.0.113.1")
    assert (await at_the_same_address.post_code("good-from-a-known-address")).code == 200
    newcomers = [visitor_from(f"203.0.113.{host}") for host in range(2, 12)]
    for host, newcomer in enumerate(newcomers):
        state = await newcomer.begin(f"{PAGE_ORIGIN}/")
        assert (await newcomer.post_code(f"good-newcomer-{host}", state=state)).code == 200

    refused = await visitor_from("203.0.113.99").post_code("good-but-a-stranger")
    assert (refused.code, reply_of(refused)["error"]) == (503, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    clock.advance(int(refused.headers["Retry-After"]))
    assert (await visitor_from("203.0.113.99").post_code("good-but-a-stranger")).code == 200


async def test_sessions_and_known_addresses_get_in_while_a_flood_brings_states(visitor_from, calls, clock):
    regular = visitor_from("203.0.113.1")
    assert (await regular.post_code("good-morning")).code == 200
    clock.advance(60)
    await flood(visitor_from, ADDRESSES[:700], 1, state=True)
    assert calls[clock.now() // 60] == BUDGET * 8 // 10
    assert (await regular.post_code("good-with-a-session")).code == 200
    assert (await visitor_from("203.0.113.1").post_code("good-from-a-known-address")).code == 200


async def test_the_networks_of_one_customer_do_not_add_up(visitor_from, calls, clock):
    statuses = await flood(visitor_from, NETWORKS, 1)
    per_network = 12 * 10 // 10
    assert calls[clock.now() // 60] <= 20 * per_network
    assert statuses[429] == len(NETWORKS) - calls[clock.now() // 60]
    assert (await visitor_from("2001:db8:ffff::1").post_code("good-neighbour")).code == 200


async def test_refused_codes_count_more_than_good_ones(visitor_from):
    good, bad = visitor_from("203.0.113.1"), visitor_from("203.0.113.2")
    assert [(await good.post_code(f"good-{number}")).code for number in range(13)] == [200] * 12 + [429]
    assert [(await bad.post_code(f"bad-{number}")).code for number in range(3)] == [400, 400, 429]


async def test_a_flood_of_authorizations_that_are_begun_is_limited(visitor_from):
    attacker = visitor_from("203.0.113.1")
    begun = [(await attacker.fetch(f"/authorize?redirect_uri={PAGE_ORIGIN}/")) for _ in range(13)]
    assert [response.code for response in begun] == [302] * 12 + [429]
    assert json.loads(begun[-1].body)["error"] == "rate_limited"
    another_visitor = visitor_from("203.0.113.1")
    assert (await another_visitor.post_code("good-code")).code == 200


async def test_metrics_tell_the_share_of_made_up_codes_and_what_the_budget_refused(visitor_from, service, settings):
    await flood(visitor_from, ADDRESSES[:500], 1)
    await visitor_from("203.0.113.1").begin(f"{PAGE_ORIGIN}/")
    exchanges, refusals = "wechat_openid_exchanges_total", "wechat_openid_exchange_budget_refusals_total"
    assert metric_value(service, exchanges, appid=settings.appid, result="invalid_code") == BUDGET // 2
    assert metric_value(service, exchanges, appid=settings.appid, result="ok") == 0
    assert metric_value(service, refusals, appid=settings.appid, standing="stranger") == 500 - BUDGET // 2


async def test_workers_that_count_apart_share_the_budget(visitor_from, open_another, serve, http, calls, clock):
    attacker = visitor_from("10.0.0.1")
    attacker.url = await serve(make_public_app(await open_another(workers=4, rate_limit="")))
    for number in range(BUDGET // 8 + 5):
        await attacker.post_code(f"bad-{number}")
    assert calls[clock.now() // 60] == BUDGET // 8
