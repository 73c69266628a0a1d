import logging
import shutil
import socket
import subprocess

import pytest

from service.http.rate_limit import RateLimit
from storage.base.clock import ManualClock, SystemClock

HERE = "async+memory://"


@pytest.fixture
def clock():
    return ManualClock(1_800_000_000 - 1_800_000_000 % 3600)


@pytest.fixture
def make_limit(io_loop, clock):
    """Make limits that are closed in the end."""
    made = []

    def make(rates, storage=HERE, clock=clock):
        made.append(RateLimit(rates, storage, clock))
        return made[-1]

    yield make
    for limit in made:
        io_loop.run_sync(limit.close)


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
async def test_what_is_counted_is_forgotten_when_its_window_is_over(make_limit, clock):
    limit = make_limit("3/minute")
    for number in range(1000):
        await limit.count(f"192.0.{number // 250}.{number % 250}")
    clock.advance(60)
    await limit.count("192.0.2.1")
    [(_, counts)] = limit._counters._windows.values()
    assert dict(counts) == {"192.0.2.1": 1}


@pytest.mark.gen_test
@pytest.mark.parametrize("storage", ["silent_server", "closed_port"])
async def test_requests_pass_while_the_shared_counters_are_down(make_limit, request, caplog, storage):
    caplog.set_level(logging.WARNING, "service.http.rate_limit")
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
async def test_the_log_says_once_that_counting_goes_on(make_limit, caplog):
    caplog.set_level(logging.WARNING, "service.http.rate_limit")
    limit = make_limit("100/minute")
    counters = limit._counters

    class Down:
        async def count(self, *_):
            raise TimeoutError

    limit._counters = Down()
    await share_of(limit, "192.0.2.1", asked=5)
    limit._counters = counters
    await share_of(limit, "192.0.2.1", asked=5)
    assert [record.getMessage() for record in caplog.records] == [
        "requests are not limited, the counters do not answer: TimeoutError",
        "requests are limited again",
    ]
