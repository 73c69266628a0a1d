import contextlib
import logging
import shutil
import socket
import subprocess
import sys

import pytest

from service.authorization.counters import Counters, CountersHere
from service.authorization.exchange_budget import BudgetSpent, ExchangeBudget, Standing
from service.http.rate_limit import RateLimit
from service.settings import SettingsError
from storage.base.clock import ManualClock, SystemClock

HERE = "async+memory://"


@pytest.fixture
def clock():
    return ManualClock(1_800_000_000 - 1_800_000_000 % 3600)


@pytest.fixture
def make_limit(io_loop, clock):
    """Make limits that are closed in the end."""
    made = []

    def make(rates, storage=HERE, clock=clock, **options):
        made.append(Counters.open(storage, clock))
        return RateLimit(rates, made[-1], clock, **options)

    yield make
    for counters in made:
        io_loop.run_sync(counters.close)


@pytest.fixture
def silent_server():
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def redis(tmp_path):
    """Run a Redis server on a free port, and give its URL."""
    if shutil.which("redis-server") is None:
        pytest.skip("there is no redis-server here")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", tmp_path],
        stdout=subprocess.PIPE,
        text=True,
    )
    while "Ready to accept connections" not in process.stdout.readline():
        assert process.poll() is None
    yield f"async+redis://127.0.0.1:{port}"
    process.terminate()
    process.communicate()


async def share_of(limit, address, asked=100):
    """Return how many requests of an address pass, and when the first that does not may come back."""
    for passed in range(asked):
        retry_after = await limit.count(address)
        if retry_after is not None:
            return passed, retry_after
    return asked, None


@pytest.mark.gen_test
async def test_an_address_gets_its_share_and_is_told_when_to_come_back(make_limit, clock):
    limit = make_limit("5/minute")
    clock.advance(20)
    passed, retry_after = await share_of(limit, "192.0.2.1")
    assert passed == 5
    assert retry_after == 40
    clock.advance(39)
    assert (await share_of(limit, "192.0.2.1"))[1] == 1
    clock.advance(1)
    assert (await share_of(limit, "192.0.2.1"))[0] == 5


@pytest.mark.gen_test
async def test_addresses_are_counted_apart(make_limit):
    limit = make_limit("3/minute")
    assert [(await share_of(limit, f"192.0.2.{host}"))[0] for host in range(5)] == [3] * 5


@pytest.mark.gen_test
async def test_the_addresses_of_one_ipv6_network_are_one_client(make_limit):
    limit = make_limit("3/minute")
    assert (await share_of(limit, "2001:db8:1:2::1"))[0] == 3
    assert (await share_of(limit, "2001:db8:1:2:ffff::9"))[0] == 0
    assert (await share_of(limit, "2001:db8:1:3::1"))[0] == 3
    assert (await share_of(limit, "fe80::1%eth0"))[0] == 3
    assert (await share_of(limit, "not:an:address"))[0] == 3


@pytest.mark.gen_test
async def test_of_several_rates_each_holds(make_limit, clock):
    limit = make_limit("3/second;5/hour")
    assert (await share_of(limit, "192.0.2.1"))[0] == 3
    clock.advance(1)
    passed, retry_after = await share_of(limit, "192.0.2.1")
    assert passed == 2
    assert retry_after == 3599


@pytest.mark.gen_test
async def test_without_rates_everything_passes(make_limit):
    assert await share_of(make_limit(""), "192.0.2.1") == (100, None)


@pytest.mark.gen_test
async def test_what_is_counted_is_forgotten_when_its_window_is_over(clock):
    counters = CountersHere(clock)
    limit = RateLimit("3/minute", Counters(counters), clock)
    for number in range(1000):
        await limit.count(f"192.0.{number // 250}.{number % 250}")
    assert len(counters) == 1000 + 4
    clock.advance(60)
    await limit.count("192.0.2.1")
    assert len(counters) == 2


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("addresses", "share"),
    [
        ([f"198.51.100.{host}" for host in range(100)], 10),
        ([f"2001:db8:7:{net:x}::1" for net in range(0x100, 0x164)], 4),
        ([f"2001:db8:7:{net:x}00::1" for net in range(100)], 10),
    ],
    ids=["/24", "/56", "/48"],
)
async def test_a_wider_network_has_some_clients_worth(make_limit, addresses, share):
    limit = make_limit("3/minute")
    passed = [await limit.count(address) for address in addresses for _ in range(3)].count(None)
    assert passed == 3 * share
    assert await limit.count("203.0.113.1") is None
    assert await limit.count("2001:db8:8::1") is None


@pytest.mark.gen_test
async def test_one_client_does_not_use_up_the_share_of_its_neighbours(make_limit):
    limit = make_limit("3/minute")
    await share_of(limit, "198.51.100.1")
    for _ in range(100):
        assert await limit.count("198.51.100.1", cost=10) is not None
    assert (await share_of(limit, "198.51.100.2"))[0] == 3


@pytest.mark.gen_test
async def test_counters_that_do_not_answer_are_left_alone_for_a_while(clock):
    class Silent(CountersHere):
        asked = 0

        async def add(self, *_):
            self.asked += 1
            raise TimeoutError

    backend = Silent(clock)
    limit = RateLimit("100/minute;1000/hour", Counters(backend, pause_seconds=3600), clock)
    assert await share_of(limit, "192.0.2.1", asked=5) == (5, None)
    assert backend.asked == 1


@pytest.mark.gen_test
async def test_what_costs_more_leaves_less(make_limit):
    limit = make_limit("20/minute")
    assert await limit.count("192.0.2.1", cost=19) is None
    assert (await share_of(limit, "192.0.2.1"))[0] == 1


@pytest.mark.gen_test
async def test_purposes_are_counted_apart_and_rates_can_be_divided(clock):
    counters = Counters.open(HERE, clock)
    codes, profiles = (
        RateLimit("20/minute", counters, clock),
        RateLimit("20/minute", counters, clock, "p", divided_by=10),
    )
    assert (await share_of(codes, "192.0.2.1"))[0] == 20
    assert (await share_of(profiles, "192.0.2.1"))[0] == 2


@pytest.mark.gen_test
@pytest.mark.parametrize("storage", ["silent_server", "closed_port"])
async def test_requests_pass_while_the_shared_counters_are_down(make_limit, request, caplog, storage):
    caplog.set_level(logging.WARNING, "service.authorization.counters")
    limit = make_limit("1/minute", f"async+redis://:a-password@127.0.0.1:{request.getfixturevalue(storage)}")
    assert await share_of(limit, "192.0.2.1", asked=3) == (3, None)
    [record] = caplog.records
    assert "requests are not limited" in record.getMessage()
    assert "a-password" not in caplog.text


@pytest.mark.gen_test
async def test_processes_share_the_counters_of_one_redis(redis, make_limit):
    first, second = (make_limit("5/hour", redis, SystemClock()) for _ in range(2))
    assert await share_of(first, "192.0.2.1", asked=3) == (3, None)
    passed, retry_after = await share_of(second, "192.0.2.1")
    assert passed == 2
    assert 1 <= retry_after <= 3601
    assert (await share_of(second, "192.0.2.2"))[0] == 5


@pytest.mark.gen_test
async def test_processes_share_the_budget_of_an_account_in_one_redis(redis):
    clock = SystemClock()
    all_counters = [Counters.open(redis, clock) for _ in range(2)]
    budgets = [ExchangeBudget(1000, counters, clock) for counters in all_counters]
    spent = 0
    with contextlib.suppress(BudgetSpent):
        for number in range(3000):  # the window may end meanwhile, and then another one begins
            await budgets[number % 2].spend("wx0000000000000001", Standing.STRANGER)
            spent += 1
    assert 500 <= spent < 1000
    for counters in all_counters:
        await counters.close()


@pytest.mark.gen_test
async def test_the_log_says_once_that_counting_goes_on(clock, caplog):
    caplog.set_level(logging.WARNING, "service.authorization.counters")

    class Shaky(CountersHere):
        is_down = True

        async def add(self, rate, key, cost):
            if self.is_down:
                raise TimeoutError
            return await super().add(rate, key, cost)

    backend = Shaky(clock)
    limit = RateLimit("100/minute", Counters(backend, pause_seconds=0), clock)
    await share_of(limit, "192.0.2.1", asked=5)
    backend.is_down = False
    await share_of(limit, "192.0.2.1", asked=5)
    assert [record.getMessage() for record in caplog.records] == [
        "requests are not limited, the counters do not answer: TimeoutError",
        "requests are limited again",
    ]


def test_shared_counters_say_what_to_install(clock, monkeypatch):
    monkeypatch.setitem(sys.modules, "limits", None)
    monkeypatch.delitem(sys.modules, "service.authorization.shared_counters", raising=False)
    with pytest.raises(SettingsError, match=r"'limits': pip install 'wechat-openid\[redis\]'"):
        Counters.open("async+redis://localhost", clock)
