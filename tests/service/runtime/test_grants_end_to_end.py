"""`serve` as a process beside a stand-in that answers a refresh as WeChat is recorded to: which refresh token is sent.

The stand-in shares nothing with the simulator. Its refresh replies have `openid` first, no unionid, and a list of
scopes with a comma at its end.
"""

import http.server
import json
import threading
import time
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

import pytest

from storage.sql.accounts.api_keys import ApiKeys
from storage.sql.core.engine import Database

pytestmark = pytest.mark.gen_test

OPENID = "oScopeListTest00000000000000"
BASE, WIDE = "snsapi_base", "snsapi_userinfo"


class StandIn:
    """Gives a grant `RT1`, `RT2`, … for each code, whose first letter says its scope; keeps what is sent.

    Attributes:
        scope_of_refreshes: What the replies to refreshes name.
        refused: Refresh tokens that are not valid any more.
        sent: The refresh tokens that were sent, in order.
    """

    def __init__(self, scope_of_refreshes):
        self.scope_of_refreshes = scope_of_refreshes
        self.refused = set()
        self.sent = []
        self.grants = 0

    def answer(self, path, query):
        if path.endswith("/refresh_token"):
            return self.refresh(query["refresh_token"])
        self.grants += 1
        return self.tokens(f"RT{self.grants}", "first") | {
            "openid": OPENID,
            "scope": WIDE if query["code"].startswith("w") else BASE,
        }

    def refresh(self, refresh_token):
        self.sent.append(refresh_token)
        if refresh_token in self.refused:
            return {"errcode": 40030, "errmsg": "invalid refresh_token, rid: 6206378a-793424c0-2e4091cc"}
        return {"openid": OPENID} | self.tokens(refresh_token, "fresh") | {"scope": self.scope_of_refreshes}

    def tokens(self, refresh_token, word):
        return {"access_token": f"{refresh_token}-{word}", "expires_in": 7200, "refresh_token": refresh_token}


@contextmanager
def answering(stand_in):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            parts = urlsplit(self.path)
            body = json.dumps(stand_in.answer(parts.path, dict(parse_qsl(parts.query)))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(params=["snsapi_base,snsapi_userinfo,", "snsapi_base,", "snsapi_base"])
def stand_in(request):
    return StandIn(request.param)


@pytest.fixture
def running(io_loop, stand_in, settings, start_server, http, page_at):
    """Start the service beside the stand-in, and give what logs in and what asks for the token."""
    with answering(stand_in) as url:
        server = io_loop.run_sync(lambda: start_server(WECHAT_OPENID_WECHAT_API_URL=url).answers(http))
        database = Database.open(settings.database_url)
        key = ApiKeys(database).add("backend", int(time.time()))
        database.close()
        path = f"{server.admin_url}/internal/authorizations/{settings.appid}/{OPENID}/token"

        async def log_in(code):
            assert (await page_at(server).post_code(code * 32)).code == 200

        async def ask(query=""):
            headers = {"Authorization": f"Bearer {key}"}
            response = await http.fetch(f"{path}?{query}", headers=headers, raise_error=False)
            return response.code, json.loads(response.body)

        yield log_in, ask


async def test_a_silent_login_after_a_refresh_brings_the_refresh_token_that_is_used(running, stand_in):
    log_in, ask = running
    await log_in("a")
    assert (await ask("refused=true"))[1]["access_token"] == "RT1-fresh"
    await log_in("b")
    _, reply = await ask("minimum_seconds=0")
    assert (reply["access_token"], reply["scope"]) == ("RT2-first", BASE)
    assert (await ask("refused=true"))[1]["access_token"] == "RT2-fresh"
    assert stand_in.sent == ["RT1", "RT2"]


async def test_when_the_profile_grant_is_refused_the_silent_one_keeps_the_user_alive(running, stand_in):
    log_in, ask = running
    await log_in("w")
    assert (await ask("refused=true"))[1]["scope"] == WIDE
    await log_in("a")
    _, reply = await ask()
    assert (reply["access_token"], reply["scope"]) == ("RT1-fresh", WIDE)
    stand_in.refused.add("RT1")
    status, reply = await ask("refused=true")
    assert (status, reply["access_token"], reply["scope"]) == (200, "RT2-first", BASE)
    assert (await ask("refused=true"))[1]["access_token"] == "RT2-fresh"
    assert stand_in.sent == ["RT1", "RT1", "RT2"]


async def test_when_both_grants_are_refused_the_user_must_authorize_again(running, stand_in):
    log_in, ask = running
    await log_in("w")
    await log_in("a")
    stand_in.refused |= {"RT1", "RT2"}
    assert (await ask("refused=true"))[1]["access_token"] == "RT2-first"
    assert (await ask("refused=true"))[0] == 409
    assert stand_in.sent == ["RT1", "RT2"]
