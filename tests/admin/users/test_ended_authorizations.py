"""What is offered for users whose authorization has ended: nothing that cannot work, and a link that can."""

import re
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from service.authorization.exchange import Browser
from service.runtime.app import make_public_app
from service.simulator.faults import Fault
from storage.sql.accounts.operators import Role
from tests.admin.operator_browser import text_of
from tests.service.harness import ACCOUNT

pytestmark = pytest.mark.gen_test
APPID = ACCOUNT.appid
SERVICE = "https://auth.example.com"
BY_TOKENS = {"refresh", "check", "profile"}


@pytest.fixture
def settings(settings):
    return replace(settings, public_url=SERVICE, allowed_origins=("https://h5.example.com",))


@pytest.fixture
def authorize(service, wechat):
    async def one(scope="snsapi_userinfo"):
        code = wechat.issue_code(wechat.invent_person().id, scope=scope)
        return (await service.exchange.exchange(ACCOUNT, code, Browser(b"binding"))).openid

    return one


def offered(page, openid):
    return set(re.findall(rf'action="/admin/users/{APPID}/{openid}/(\w+)"', page))


def link_of(page):
    found = re.search(rf"{SERVICE}/authorize[^<]+", page)
    return found and unescape(found[0])


async def test_a_user_who_is_authorized_has_every_action_and_no_link(signed_in, authorize):
    openid = await authorize()
    page = text_of(await signed_in(Role.OPERATOR).get(f"/admin/users/{APPID}/{openid}"))
    assert offered(page, openid) == BY_TOKENS | {"revoke", "erase"}
    assert link_of(page) is None


@pytest.mark.parametrize("scope", ["snsapi_userinfo", "snsapi_base"])
async def test_a_user_who_must_authorize_again_is_sent_a_link_for_the_scope_they_had(
    signed_in, authorize, service, wechat, scope
):
    openid = await authorize(scope)
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=42002))
    await service.tokens.refresh_now(APPID, openid)
    page = text_of(await signed_in(Role.OPERATOR).get(f"/admin/users/{APPID}/{openid}"))
    assert offered(page, openid) == {"revoke", "erase"}
    assert parse_qs(urlsplit(link_of(page)).query) == {
        "appid": [APPID],
        "scope": [scope],
        "flow": ["callback"],
        "redirect_uri": ["https://h5.example.com/"],
    }


async def test_the_link_leads_to_wechat(signed_in, authorize, service, serve, http):
    openid = await authorize()
    await service.vault.revoke(APPID, openid)
    page = text_of(await signed_in(Role.OPERATOR).get(f"/admin/users/{APPID}/{openid}"))
    assert offered(page, openid) == {"erase"}
    url = (await serve(make_public_app(service))) + link_of(page).removeprefix(SERVICE)
    response = await http.fetch(url, follow_redirects=False, raise_error=False)
    assert response.code == 302
    assert response.headers["Location"].startswith(service.settings.wechat_authorize_url)


@pytest.mark.parametrize(
    ("query", "left_out"),
    [
        ("", set()),
        ("?status=active", set()),
        ("?status=reauthorization_required", BY_TOKENS),
        ("?status=revoked", BY_TOKENS | {"revoke"}),
    ],
)
async def test_a_list_of_ended_authorizations_offers_only_what_can_work(
    signed_in, authorize, service, wechat, query, left_out
):
    revoked, ended, _active = [await authorize() for _ in range(3)]
    await service.vault.revoke(APPID, revoked)
    wechat.faults.add(Fault(endpoint="refresh_token", errcode=42002))
    await service.tokens.refresh_now(APPID, ended)
    page = text_of(await signed_in(Role.OPERATOR).get("/admin/users" + query))
    choices = set(re.findall(r'<option value="(\w+)">', page.partition('name="action"')[2]))
    assert choices == (BY_TOKENS | {"revoke", "erase"}) - left_out
