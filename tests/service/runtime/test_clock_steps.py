"""The machine's clock is set by hours while `serve` runs: libfaketime does it, by an offset that it reads in a file."""

import asyncio
import json
import sys

import pytest

from tests.service.harness import ACCOUNT, Page, environment_of
from tests.set_clock import clock_in
from tests.waiting import until

HOURS = 3600
STEPS = (6 * HOURS, -6 * HOURS)


@pytest.fixture
def set_clock(tmp_path):
    return clock_in(tmp_path)


async def served(start_server, settings, set_clock, http):
    """Start the service under the clock, and give it, a page and a way to ask for tokens."""
    server = await start_server(WECHAT_OPENID_REFRESH_EVERY_SECONDS="0.1", **set_clock.environment()).answers(http)
    page = Page(http, server.url)
    command = (sys.executable, "-m", "service", "apikeys", "add", "backend")
    adding = await asyncio.create_subprocess_exec(
        *command, env=environment_of(settings), stdout=asyncio.subprocess.PIPE
    )
    key = (await adding.communicate())[0].decode().split()[-1]

    async def token(openid):
        response = await http.fetch(
            f"{server.admin_url}/internal/authorizations/{ACCOUNT.appid}/{openid}/token",
            headers={"Authorization": f"Bearer {key}"},
            raise_error=False,
        )
        return json.loads(response.body)

    return server, page, token


@pytest.mark.gen_test(timeout=90)
@pytest.mark.parametrize("step", STEPS)
async def test_set_clock_leaves_logins_repeats_and_tokens_as_they_were(
    step, start_server, settings, set_clock, http, wechat
):
    _, page, token = await served(start_server, settings, set_clock, http)
    code = wechat.issue_code()
    first = await page.post_code(code)
    openid = json.loads(first.body)["openid"]

    set_clock.set_to(step)
    repeated = await page.post_code(code)
    given = await token(openid)
    login = await page.post_code(wechat.issue_code("li-na"))

    assert (first.code, repeated.code, login.code) == (200, 200, 200)
    assert json.loads(repeated.body)["openid"] == openid
    assert given["access_token"] in wechat.issued_secrets()
    # When it ends is told by the clock as it is set now.
    assert given["expires_at"] <= set_clock.now() + 2 * HOURS


@pytest.mark.gen_test(timeout=90)
async def test_refreshes_go_on_after_the_clock_was_set_back(start_server, settings, set_clock, http, wechat):
    set_clock.set_to(6 * HOURS)
    server, page, token = await served(start_server, settings, set_clock, http)
    openid = json.loads((await page.post_code(wechat.issue_code())).body)["openid"]
    assert wechat.calls["refresh_token"] == 0

    set_clock.set_to(0)
    await until(lambda: wechat.calls["refresh_token"] >= 1)  # though it was due hours later
    given = await token(openid)

    assert given["expires_at"] <= set_clock.now() + 2 * HOURS
    assert wechat.calls["refresh_token"] == 1
    assert "the clock was set back" in server.log.read_text()
