"""The path to the database goes silent while `serve` runs: what operators look at answers all the same."""

import asyncio
import time

import pytest
from sqlalchemy import make_url

from admin.web.cookies import SESSION
from storage.sql.accounts.operators import Operators, Role
from storage.sql.accounts.sessions import OperatorSessions
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from tests.network_path import network_path_to
from tests.servers import database_of_its_own, mysql_server, postgresql_server
from tests.waiting import until

#: Asked so often that whatever lends a thread to each question has none left.
TIMES = 12


@pytest.fixture(params=[postgresql_server, mysql_server], ids=["postgresql", "mysql"])
def path_and_url(request):
    with database_of_its_own(request.param()) as url:
        address = make_url(url)
        with network_path_to(address.host, address.port) as path:
            yield path, address.set(host="127.0.0.1", port=path.port).render_as_string(hide_password=False)


def signed_in(url):
    """Migrate a database, and return the cookie of an operator."""
    database = Database.open(url)
    upgrade(database.engine)
    operators = Operators(database)
    operators.add("ada", "a hash", Role.OWNER, int(time.time()))
    token = OperatorSessions(database).begin(operators.find("ada")[0].id, int(time.time()), "127.0.0.1", "")
    database.close()
    return f"wechat_openid_{SESSION}={token}"


@pytest.mark.gen_test(timeout=120)
async def test_operators_are_answered_while_the_database_is_silent_and_logins_go_on_with_a_new_one(
    path_and_url, settings, http, start_server, page_at, wechat
):
    path, url = path_and_url
    cookie = await asyncio.to_thread(signed_in, url)
    server = await start_server(WECHAT_OPENID_DATABASE_URL=url).answers(http)
    page = page_at(server)
    assert (await page.post_code(wechat.issue_code())).code == 200

    async def ask(place):
        began_at = time.monotonic()
        # Less than after which a call to the database is given up.
        response = await http.fetch(
            server.admin_url + place, headers={"Cookie": cookie}, raise_error=False, request_timeout=6
        )
        return response.code, time.monotonic() - began_at

    assert (await ask("/admin/"))[0] == 200
    path.forget_open_connections()
    path.go_silent()
    asked = [await asyncio.gather(*(ask(place) for _ in range(TIMES))) for place in ("/admin/", "/readyz", "/metrics")]

    assert [{code for code, _ in answers} for answers in asked] == [{503}, {503}, {200}]
    print(
        "slowest answers while the database was silent:", [f"{max(s for _, s in answers):.1f} s" for answers in asked]
    )

    path.forget_open_connections()
    path.go_on()
    began_at = time.monotonic()

    async def is_back():
        return (await page.post_code(wechat.issue_code("li-na"))).code == 200

    await until(is_back)
    print(f"logins work {time.monotonic() - began_at:.1f} s after the new server")

    async def dashboard_is_back():
        return (await ask("/admin/"))[0] == 200

    # Operators' tables have connections of their own, which are given up when a call by them is late.
    await until(dashboard_is_back)
