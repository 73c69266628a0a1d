"""Hostile requests to every route of both listeners: none is answered by a failure of ours.

`make fuzz` sends ten thousand to each; a run of all tests sends a few hundred.
"""

import logging
import os
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace

import hypothesis
import pytest
from argon2 import PasswordHasher

from admin.operators.hashing_pool import HashingPool
from admin.web.csrf import form_token
from service.runtime.app import make_private_app, make_public_app
from storage.base.passwords import PasswordHashes
from storage.sql.accounts.operators import Role
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from tests.servers import database_of_its_own, postgresql_server
from tests.service.harness import ACCOUNT, listening
from tests.service.http.fuzzing import Request, requests, routes_of, status_of

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.attack(
        "availability",
        "any client, or an operator",
        "hostile paths, queries, headers, cookies, bodies, methods at every route, on two databases by both servers",
        "no answer is a failure of the service",
    ),
]
#: How many requests each listener gets, more or less.
REQUESTS = int(os.environ.get("TEST_FUZZ_REQUESTS", "400"))
#: Good values of fields of the dashboard's forms, so that the hostile ones are read at all.
GOOD = {"action": "erase", "whom": "all", "role": "viewer", "name": "somebody"}
PASSWORD = "correct horse battery staple"


@pytest.fixture(params=[("sqlite", "llhttp"), ("postgresql", "tornado")], ids=" and ".join)
def store_and_server(request):
    return request.param


@pytest.fixture
def serve(io_loop, store_and_server):
    """Serve applications by one of the servers until the test ends."""
    resources = AsyncExitStack()
    yield lambda application: resources.enter_async_context(listening(application, store_and_server[1]))
    io_loop.run_sync(resources.aclose)


@pytest.fixture
def settings(store_and_server, settings, tmp_path):
    (tmp_path / "MP_verify_abc.txt").write_text("abc")
    settings = replace(
        settings,
        event_token="token",
        verification_files=tmp_path,
        public_url="https://api.example.com",
        id_token_audience="backend",
    )
    if store_and_server[0] == "sqlite":
        yield settings
        return
    with database_of_its_own(postgresql_server()) as url:
        database = Database.open(url)
        upgrade(database.engine)
        database.close()
        yield replace(settings, database_url=url)


@pytest.fixture
def failures(caplog):
    """Give what is wrong with an answer: its status, or what the log says of it at the level of errors."""
    caplog.set_level(logging.ERROR)

    def of(status):
        logged = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
        caplog.clear()
        return [status, *logged] if logged or (status is not None and status >= 500) else []

    return of


def send_hostile(io_loop, application, url, standing, fields, failures, known):
    """Send each route its part, and return how many were answered by which status."""
    statuses = Counter()
    routes = routes_of(application)
    for pattern, methods in routes:

        @hypothesis.settings(
            max_examples=-(-REQUESTS // len(routes)),
            database=None,
            derandomize=not os.environ.get("TEST_FUZZ_REQUESTS"),
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(requests(pattern, methods, known, fields))
        def is_no_failure(request):
            status = io_loop.run_sync(lambda: status_of(url, request.to_bytes(standing())))
            statuses[status] += 1
            assert failures(status) == []

        is_no_failure()
    print(f"{sum(statuses.values())} requests to {len(routes)} routes: {dict(statuses.most_common())}")
    return statuses


def test_no_request_of_a_stranger_makes_the_public_side_fail(io_loop, service, serve, failures):
    application = make_public_app(service)
    url = io_loop.run_sync(lambda: serve(application))

    def standing():
        return {"Host": "api.example.com", "Connection": "close", "Origin": "https://api.example.com"}

    statuses = send_hostile(io_loop, application, url, standing, {}, failures, [ACCOUNT.appid])
    assert sum(statuses.values()) >= REQUESTS
    assert len(statuses) > 3, "requests must reach more than one refusal"


def test_no_request_makes_the_operators_side_fail(io_loop, service, serve, failures, clock):
    hashes = PasswordHashes(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    dashboard = replace(service.dashboard, passwords=HashingPool(hashes))
    application = make_private_app(replace(service, dashboard=dashboard))
    url = io_loop.run_sync(lambda: serve(application))
    dashboard.operators.add("ada", hashes.hash(PASSWORD), Role.OWNER, clock.now())
    key = service.api_keys.add("fuzz", clock.now())
    operator = dashboard.operators.find("ada")[0]
    token = dashboard.sessions.begin(operator.id, clock.now(), "192.0.2.1", "a test")

    def session():
        nonlocal token
        if dashboard.sessions.find(token, clock.now()) is None:  # a request has signed out
            token = dashboard.sessions.begin(operator.id, clock.now(), "192.0.2.1", "a test")
        return token

    def standing():
        return {
            "Host": url.removeprefix("http://"),
            "Connection": "close",
            "Origin": url,
            "Cookie": f"wechat_openid_session={session()}",
            "Authorization": f"Bearer {key}",
            "X-Xsrftoken": form_token(session()),
        }

    statuses = send_hostile(io_loop, application, url, standing, GOOD, failures, [ACCOUNT.appid, "1"])
    assert sum(statuses.values()) >= REQUESTS
    assert statuses[200] > 0
    assert statuses[303] > 0


@pytest.mark.gen_test
async def test_a_user_who_cannot_be_stored_is_not_found(service, serve, clock):
    url = await serve(make_private_app(service))
    standing = {
        "Host": url.removeprefix("http://"),
        "Connection": "close",
        "Authorization": f"Bearer {service.api_keys.add('orders', clock.now())}",
    }
    for appid, openid in (("%00", "%00"), (ACCOUNT.appid, "%00"), (ACCOUNT.appid, "o" * 200), ("w" * 200, "%F0%9F")):
        request = Request("GET", f"/internal/authorizations/{appid}/{openid}/token")
        assert await status_of(url, request.to_bytes(standing)) in {400, 404}, (appid, openid)
