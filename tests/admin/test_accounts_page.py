import re
from dataclasses import replace
from html import unescape

import pytest

from service.authorization.exchange import Browser
from service.simulator.faults import Fault
from service.simulator.people import DEFAULT_ACCOUNT
from service.tokens.account_credentials import CredentialUnavailable
from service.wechat.endpoints import Endpoint
from service.wechat.errors import WeChatRefusal
from storage.sql.accounts.audit import AuditQuery
from storage.sql.accounts.operators import Role
from tests.admin.operator_browser import text_of

pytestmark = pytest.mark.gen_test
PAGE = f"/admin/accounts/{DEFAULT_ACCOUNT.appid}"


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "verification"
    folder.mkdir()
    (folder / "MP_verify_abc123.txt").write_text("abc123")
    (folder / "notes.txt").write_text("not one of them")
    return folder


@pytest.fixture
def settings(settings, files):
    return replace(settings, verification_files=files)


async def test_an_account_is_shown_without_its_secret(signed_in, settings):
    owner = signed_in()
    assert PAGE in text_of(await owner.get("/admin/accounts"))
    page = text_of(await owner.get(PAGE))
    assert DEFAULT_ACCOUNT.appid in page
    assert settings.secret not in page
    assert "MP_verify_abc123.txt" in page
    assert "notes.txt" not in page


class TestPushedEvents:
    @pytest.fixture(params=["https://backend.example.com/wechat?key=abc123secret", ""])
    def settings(self, settings, request):
        return replace(settings, event_token="a-token", event_forward_url=request.param)

    async def test_where_they_are_forwarded_is_shown_without_a_key(self, signed_in, settings):
        owner = signed_in()
        page = text_of(await owner.get(PAGE))
        owner.headers["Accept-Language"] = "zh"
        in_chinese = text_of(await owner.get(PAGE))
        if settings.event_forward_url:
            assert "https://backend.example.com/wechat?…" in page
            assert "https://backend.example.com/wechat?…" in in_chinese
            assert "secret" not in page
        else:
            assert "Nowhere (EVENT_FORWARD_URL is not set)" in page
            assert "未转发（未设置 EVENT_FORWARD_URL）" in in_chinese


async def test_the_check_says_that_the_account_is_good(signed_in, dashboard):
    page = text_of(await signed_in().post(PAGE + "/check"))
    assert "WeChat accepts AppID, AppSecret and this server&#x27;s IP address." in page
    [entry] = dashboard.audit.page(AuditQuery()).entries
    assert (entry.action, entry.result, entry.appid) == ("account_check", "success", DEFAULT_ACCOUNT.appid)


async def test_the_check_says_what_is_wrong_and_what_to_do(signed_in, wechat, dashboard):
    wechat.faults.add(Fault(endpoint="access_token", errcode=40164))
    page = text_of(await signed_in().post(PAGE + "/check"))
    assert "40164" in page
    assert dashboard.accounts.explain(40164, "en", None).remedy in unescape(page)
    [entry] = dashboard.audit.page(AuditQuery()).entries
    assert (entry.result, entry.details) == ("failed", {"errcode": 40164})


async def test_a_pause_is_shown_with_its_remedy_in_the_language_of_the_page(signed_in, service, clock):
    refusal = WeChatRefusal(Endpoint.REFRESH, DEFAULT_ACCOUNT.appid, 45011, "freq limit")
    service.breaker.note(refusal)
    service.calls.ended(Endpoint.REFRESH, DEFAULT_ACCOUNT.appid, refusal)
    await service.calls.flush()
    owner = signed_in()
    owner.headers["Accept-Language"] = "zh"
    page = text_of(await owner.get(PAGE))
    assert "45011" in page
    assert service.dashboard.accounts.explain(45011, "zh_CN", Endpoint.REFRESH).remedy in page
    assert "调用暂停至" in page
    assert "故障" in text_of(await owner.get("/admin/accounts"))


async def test_an_account_that_is_not_configured_is_not_found(signed_in):
    owner = signed_in()
    assert (await owner.get("/admin/accounts/wx0000000000000000")).code == 404
    assert (await owner.post("/admin/accounts/wx0000000000000000/check")).code == 404


async def test_an_account_says_how_many_users_and_logins_it_has(signed_in, service, wechat):
    account = service.settings.all_accounts()[0]
    code = wechat.issue_code("xiao-ming", appid=account.appid)
    openid = (await service.exchange.exchange(account, code, Browser(b"binding"))).openid
    code = wechat.issue_code("li-na", appid=account.appid)
    await service.exchange.exchange(account, code, Browser(b"another"))
    await service.vault.revoke(account.appid, openid)
    page = " ".join(re.sub(r"<[^>]*>", " ", text_of(await signed_in().get(PAGE))).split())
    assert "1 Active 0 Re-authorization required 1 Revoked 2 Logins in the last 24 hours" in page
    listed = text_of(await signed_in().get("/admin/accounts"))
    assert re.findall(r'href="(/admin/users\?[^"]*)">(\d+)<', listed) == [
        (f"/admin/users?appid={account.appid}&amp;authorized=last-24h", "2"),
        (f"/admin/users?appid={account.appid}", "2"),
    ]


async def test_logins_lead_from_a_day_to_its_hours_and_to_the_users_of_an_hour(signed_in, service, clock, wechat):
    account = service.settings.all_accounts()[0]

    async def log_in(person):
        return (await service.exchange.exchange(account, wechat.issue_code(person), Browser(b"b" * 32))).openid

    clock.advance(86_400 - clock.now() % 86_400 + 9 * 3600)
    first = await log_in("xiao-ming")
    clock.advance(2 * 3600)
    second = await log_in("li-na")
    owner = signed_in()
    page = text_of(await owner.get(PAGE))
    assert rows_of(page)[:2] == ["2", "0"]
    assert len(rows_of(page)) == 14
    assert re.search(r"<strong>2</strong> <span[^>]*>Logins in the last 7 days", page)
    day = unescape(re.search(rf'href="({PAGE}\?day=[^"#]*)', page)[1])
    hours = text_of(await owner.get(day))
    assert [hour for hour, count in enumerate(rows_of(hours)) if count == "1"] == [9, 11]
    links = [
        unescape(address)
        for address in re.findall(
            r'href="(/admin/users\?[^"]*authorized_from[^"]*)"', hours.partition("logins-heading")[2]
        )
    ]
    for address, openid in zip(links, (first, second), strict=True):
        users = text_of(await owner.get(address))
        assert re.findall(r'href="/admin/users/[^/"]+/([^/"]+)"', users) == [openid]
    for name in ("1999-01-01", "x" * 5000, "%00"):
        assert len(rows_of(text_of(await owner.get(f"{PAGE}?day={name}")))) == 14


def rows_of(page):
    return re.findall(r'<td class="number" data-label="Logins">([^<]*)</td>', page)


class TestTrying:
    @pytest.fixture
    def settings(self, settings):
        return replace(settings, public_url="https://service.example.com")

    async def test_a_login_is_tried_by_links_and_their_qr_codes(self, signed_in):
        page = text_of(await signed_in().get(PAGE))
        links = [unescape(one) for one in re.findall(r'<span class="id">(https://[^<]*/authorize[^<]*)<', page)]
        assert [re.search(r"scope=(\w+)", link)[1] for link in links] == ["snsapi_base", "snsapi_userinfo"]
        assert len(re.findall(r'<div role="img"[^>]*><svg', page)) == 2


async def test_without_an_address_of_its_own_the_service_has_no_link_to_try(signed_in):
    page = text_of(await signed_in().get(PAGE))
    assert "With PUBLIC_URL set" in page
    assert "<svg" not in page.partition("try-heading")[2]


class TestCredentials:
    async def test_each_is_shown_with_its_times_and_never_its_value(self, signed_in, service):
        appid = DEFAULT_ACCOUNT.appid
        owner = signed_in()
        assert "Nobody has asked for one yet." in text_of(await owner.get(PAGE))
        ticket = await service.credentials.jsapi_ticket(appid)
        token = await service.credentials.access_token(appid)
        page = text_of(await owner.get(PAGE))
        assert "Access token (basic)" in page
        assert "JS-SDK ticket" in page
        assert "Card ticket" not in page
        assert ticket.value not in page
        assert token.value not in page

    async def test_why_one_cannot_be_had_is_shown_with_its_remedy(self, signed_in, service, wechat):
        wechat.faults.add(Fault(endpoint="stable_token", errcode=40164))
        with pytest.raises(CredentialUnavailable):
            await service.credentials.access_token(DEFAULT_ACCOUNT.appid)
        owner = signed_in()
        owner.headers["Accept-Language"] = "zh"
        page = unescape(text_of(await owner.get(PAGE)))
        assert service.dashboard.accounts.explain(40164, "zh_CN", "stable_token").remedy in page

    async def test_an_owner_forces_a_token_with_a_reason_that_is_kept(self, signed_in, service, dashboard):
        appid = DEFAULT_ACCOUNT.appid
        before = await service.credentials.access_token(appid)
        page = text_of(await signed_in().post(f"{PAGE}/access-token", reason="it was in a public log"))
        assert "WeChat gave a new access token." in page
        after = await service.credentials.access_token(appid)
        assert after.value != before.value
        assert after.value not in page
        [entry] = dashboard.audit.page(AuditQuery()).entries
        assert (entry.action, entry.result, entry.appid) == ("account_token_force", "success", appid)
        assert entry.details == {"comment": "it was in a public log"}

    async def test_a_second_one_at_once_is_refused_and_the_form_kept(self, signed_in, wechat, dashboard):
        owner = signed_in()
        await owner.post(f"{PAGE}/access-token", reason="first")
        page = text_of(await owner.post(f"{PAGE}/access-token", reason="second"))
        assert "it may be tried again in 30 seconds" in page
        assert 'value="second"' in page
        assert wechat.calls["stable_token"] == 1
        assert [entry.result for entry in dashboard.audit.page(AuditQuery()).entries][:2] == ["failed", "success"]

    async def test_without_a_reason_none_is_forced(self, signed_in, wechat):
        response = await signed_in().post(f"{PAGE}/access-token", reason="")
        assert response.code == 400
        assert "Give a reason." in text_of(response)
        assert not wechat.calls["stable_token"]

    async def test_only_owners_force_one(self, signed_in, wechat):
        response = await signed_in(Role.OPERATOR).post(f"{PAGE}/access-token", reason="curious")
        assert response.code == 403
        assert not wechat.calls["stable_token"]
