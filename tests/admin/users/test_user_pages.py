"""The list of users, a user's page, what can be done there, and the export."""

import csv
import io
import re
from html import unescape
from urllib.parse import quote

import pytest

from admin.web.links import user_path
from service.authorization.exchange import Browser
from service.simulator.people import DEFAULT_ACCOUNT
from storage.base.errors import StoreTooSlow
from storage.sql.accounts.audit import AuditQuery
from storage.sql.accounts.operators import Role
from storage.testing import a_grant
from storage.user_search import MAX_PAGE, UserFilter
from storage.users import Profile, Status
from tests.admin.operator_browser import text_of

APPID = DEFAULT_ACCOUNT.appid
EVIL = '=HYPERLINK("http://evil.example")<script>alert(1)</script>'


@pytest.fixture
def authorize(service, wechat):
    """Let a person authorize; return their openid."""

    async def authorize_one(person="xiao-ming", scope="snsapi_userinfo"):
        code = wechat.issue_code(person, appid=APPID, scope=scope)
        account = service.settings.all_accounts()[0]
        return (await service.exchange.exchange(account, code, Browser(b"binding"))).openid

    return authorize_one


@pytest.fixture
def put_users(service):
    """Store so many users without asking WeChat; return their openids, the oldest first."""

    def put(count):
        openids = [f"o{number:05}" for number in range(count)]
        service.vault._store.save([a_grant(openid, appid=APPID) for openid in openids])
        return openids

    return put


def listed(response):
    assert response.code == 200, response.code
    return listed_in(text_of(response))


def listed_in(page):
    return re.findall(r'href="/admin/users/[^/"]+/([^/"]+)"', page)


@pytest.mark.gen_test
async def test_a_filter_in_the_address_narrows_the_list(signed_in, authorize, service):
    ming, hong = await authorize("xiao-ming"), await authorize("li-na", "snsapi_base")
    await service.vault.revoke(APPID, ming)
    viewer = signed_in(Role.VIEWER)
    assert listed(await viewer.get("/admin/users")) == [hong, ming]
    assert listed(await viewer.get("/admin/users?order=up")) == [ming, hong]
    assert listed(await viewer.get("/admin/users?status=revoked")) == [ming]
    assert listed(await viewer.get("/admin/users?scope=snsapi_base&appid=" + APPID)) == [hong]
    assert listed(await viewer.get("/admin/users?q=" + hong[:12])) == ([hong] if hong[:12] != ming[:12] else [])
    assert listed(await viewer.get("/admin/users?match=exact&q=" + ming)) == [ming]
    assert listed(await viewer.get("/admin/users?errcode=40001")) == []


@pytest.mark.gen_test
async def test_a_user_shows_the_newer_authorization_that_is_held(signed_in, authorize):
    openid = await authorize()
    viewer = signed_in(Role.VIEWER)
    assert "Newer authorization" not in text_of(await viewer.get(f"/admin/users/{APPID}/{openid}"))
    await authorize(scope="snsapi_base")
    page = text_of(await viewer.get(f"/admin/users/{APPID}/{openid}"))
    assert re.search(r"Scope</dt>\s*<dd>Profile", page)
    assert re.search(r"Newer authorization</dt>\s*<dd>Silent", page)


@pytest.mark.gen_test
async def test_an_address_that_means_nothing_is_refused(signed_in, subtests):
    for query in [
        "status=odd",
        "snapshot=perhaps",
        "errcode=x",
        "errcode=9999999999999999999",
        "sort=nickname",
        "by=access_token",
        "q=a&by=x",
        "authorized_from=yesterday",
        "cursor=odd",
        "cursor=WzEsMl0x",
        "cursor=W251bGwsMV0=",
    ]:
        with subtests.test(query=query):
            response = await signed_in().get("/admin/users?" + query)
            assert response.code == 400


@pytest.mark.gen_test
async def test_pages_follow_each_other(signed_in, put_users):
    openids = put_users(120)
    viewer, path, seen, pages = signed_in(Role.VIEWER), "/admin/users", [], 0
    while path:
        response = await viewer.get(path)
        seen += listed(response)
        following = re.search(r'rel="next" href="([^"]+)"', text_of(response))
        path = following and following[1].replace("&amp;", "&")
        pages += 1
    assert (pages > 2, seen) == (True, openids[::-1])


@pytest.mark.gen_test
async def test_a_list_that_takes_too_long_asks_to_narrow_the_filters(signed_in, dashboard, monkeypatch):
    def too_slow(*_):
        raise StoreTooSlow("too slow")

    monkeypatch.setattr(type(dashboard.user_search), "page", too_slow)
    response = await signed_in().get("/admin/users")
    assert response.code == 503
    assert "Narrow the filters." in text_of(response)


@pytest.mark.gen_test
async def test_a_count_that_takes_too_long_leaves_the_list(signed_in, authorize, dashboard, monkeypatch):
    def too_slow(*_):
        raise StoreTooSlow("too slow")

    openid = await authorize()
    monkeypatch.setattr(type(dashboard.user_search), "count", too_slow)
    response = await signed_in().get("/admin/users")
    assert listed(response) == [openid]
    assert "too many to count quickly" in text_of(response)


@pytest.mark.gen_test
async def test_a_user_is_shown_without_their_tokens(signed_in, authorize, service):
    openid = await authorize()
    tokens = service.vault.open(await service.vault.get(APPID, openid))
    page = text_of(await signed_in().get(user_path(APPID, openid)))
    assert openid in page
    for token in (tokens.access_token, tokens.refresh_token):
        assert not any(token[start : start + 12] in page for start in range(0, len(token) - 12, 6))


@pytest.mark.gen_test
@pytest.mark.attack(
    "operators' side",
    "a user of the account, by nickname and picture",
    "markup, scripts, pictures from elsewhere",
    "shown as text, or not at all",
)
async def test_a_nickname_is_text_wherever_it_is_shown(signed_in, authorize, service):
    openid = await authorize()
    await service.vault.save_profile(Profile(APPID, openid, EVIL, 'https://thirdwx.qlogo.cn/"onerror=', 1))
    for path in ("/admin/users", user_path(APPID, openid)):
        page = text_of(await signed_in().get(path))
        assert "<script>alert" not in page
        assert '"onerror' not in page
        assert "&lt;script&gt;alert" in page


@pytest.mark.gen_test
@pytest.mark.attack(
    "operators' side",
    "a user of the account, by nickname and picture",
    "markup, scripts, pictures from elsewhere",
    "shown as text, or not at all",
)
async def test_a_picture_comes_from_wechat_or_from_nowhere(signed_in, authorize, service):
    openid = await authorize()
    for address, shown in (("https://thirdwx.qlogo.cn/a/132", True), ("https://evil.example/a", False)):
        await service.vault.save_profile(Profile(APPID, openid, "n", address, 1))
        assert (address in text_of(await signed_in().get(user_path(APPID, openid)))) is shown


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ("refresh", "The token has been refreshed."),
        ("check", "WeChat confirms that the token is valid."),
        ("profile", "The profile has been fetched."),
        ("revoke", "The authorization has been revoked."),
    ],
)
@pytest.mark.gen_test
async def test_an_action_says_what_happened_and_is_written_down(signed_in, authorize, dashboard, action, sentence):
    openid = await authorize()
    operator = signed_in(Role.OPERATOR)
    response = await operator.post(f"{user_path(APPID, openid)}/{action}")
    assert response.code == 303
    assert await operator.notice(response) == sentence
    [entry] = dashboard.audit.page(AuditQuery(openid=openid)).entries
    assert (entry.operator, entry.action, entry.result) == ("the-operator", f"user_{action}", "success")


@pytest.mark.gen_test
async def test_wechats_refusal_is_told_with_its_remedy(signed_in, authorize, service):
    openid = await authorize(scope="snsapi_base")
    operator = signed_in()
    response = await operator.post(f"{user_path(APPID, openid)}/profile")
    assert await operator.notice(response) == "The user has not granted access to the profile (snsapi_userinfo)."
    await service.vault.revoke(APPID, openid)
    response = await operator.post(f"{user_path(APPID, openid)}/refresh")
    assert await operator.notice(response) == "The authorization was revoked earlier."


@pytest.mark.gen_test
async def test_erasing_takes_the_openid_typed_out(signed_in, authorize, service, dashboard):
    openid = await authorize()
    operator = signed_in(Role.OPERATOR)
    refused = await operator.post(f"{user_path(APPID, openid)}/erase", confirmation=openid[:-1])
    assert "Nothing was erased" in await operator.notice(refused)
    assert await service.vault.get(APPID, openid) is not None
    erased = await operator.post(f"{user_path(APPID, openid)}/erase", confirmation=openid)
    assert erased.headers["Location"] == "/admin/users"
    assert await service.vault.get(APPID, openid) is None
    assert dashboard.user_search.count(UserFilter()).number == 0


@pytest.mark.gen_test
async def test_the_audit_log_of_a_user_is_for_operators(signed_in, authorize):
    openid = await authorize()
    await signed_in().post(f"{user_path(APPID, openid)}/check")
    assert "Verify a token" in text_of(await signed_in(Role.OPERATOR).get(user_path(APPID, openid)))
    page = text_of(await signed_in(Role.VIEWER).get(user_path(APPID, openid)))
    assert "Verify a token" not in page
    assert "<button>Refresh now" not in page


@pytest.mark.gen_test
async def test_the_export_has_everybody_and_no_token_and_no_formula(signed_in, authorize, service, dashboard):
    ming, hong = await authorize("xiao-ming"), await authorize("li-na")
    await service.vault.save_profile(Profile(APPID, ming, EVIL, "", 1))
    response = await signed_in(Role.OPERATOR).get("/admin/users.csv?status=active&order=up")
    assert response.body.startswith(b"\xef\xbb\xbf")
    assert response.headers["Content-Disposition"] == 'attachment; filename="users.csv"'
    header, *rows = list(csv.reader(io.StringIO(response.body.decode("utf-8-sig"))))
    assert [row[1] for row in rows] == [ming, hong]
    assert rows[0][header.index("nickname")] == "'" + EVIL
    assert not any("token" in name and "ends" not in name for name in header)
    tokens = service.vault.open(await service.vault.get(APPID, ming))
    assert tokens.access_token not in response.body.decode()
    [entry] = dashboard.audit.page(AuditQuery(action="users_export")).entries
    assert entry.details["filter"] == "status=active"


@pytest.mark.gen_test
async def test_the_export_goes_on_from_batch_to_batch(signed_in, put_users):
    openids = put_users(2 * MAX_PAGE + 1)
    response = await signed_in(Role.OPERATOR).get("/admin/users.csv")
    rows = list(csv.reader(io.StringIO(response.body.decode("utf-8-sig"))))
    assert [row[1] for row in rows[1:]] == openids[::-1]


@pytest.mark.gen_test
async def test_a_user_who_must_authorize_again_is_shown_as_such(signed_in, authorize, service):
    openid = await authorize()
    lease = await service.vault.claim(APPID, openid, 60)
    await service.vault.settle(lease.rejected(error_code=42002, error_kind="reauthorize", at=1_800_000_000))
    assert (await service.vault.get(APPID, openid)).status is Status.REAUTHORIZATION_REQUIRED
    page = text_of(await signed_in().get(user_path(APPID, openid)))
    assert "The last refresh failed" in page
    assert "Send the user through the authorize page again." in page


@pytest.mark.gen_test
@pytest.mark.parametrize("order", ["?order=up", "?sort=authorized_at", "?q=o0", "?q=o0&order=up"])
async def test_pages_lead_back_the_way_they_came(signed_in, put_users, order):
    put_users(120)
    viewer = signed_in(Role.VIEWER)

    def way(response, rel):
        found = re.search(rf'rel="{rel}" href="([^"]+)"', text_of(response))
        return found and unescape(found[1])

    def place(response):
        return re.search(r">(\d+–\d+ of 120)<", text_of(response))[1]

    first = await viewer.get("/admin/users" + order)
    second = await viewer.get(way(first, "next"))
    third = await viewer.get(way(second, "next"))
    assert [place(page) for page in (first, second, third)] == ["1–50 of 120", "51–100 of 120", "101–120 of 120"]
    assert (way(first, "prev"), way(third, "next")) == (None, None)
    second_again = await viewer.get(way(third, "prev"))
    first_again = await viewer.get(way(second_again, "prev"))
    assert [listed(second_again), listed(first_again)] == [listed(second), listed(first)]
    assert [place(second_again), place(first_again)] == [place(second), place(first)]
    assert way(first_again, "prev") is None
    assert listed(await viewer.get(way(first_again, "next"))) == listed(second)


@pytest.mark.gen_test
async def test_an_address_keeps_only_what_means_something(signed_in):
    viewer = signed_in(Role.VIEWER)
    response = await viewer.get("/admin/users?by=openid&match=&q=o%26A&status=&appid=&used_from=")
    assert (response.code, response.headers["Location"]) == (303, "/admin/users?by=openid&q=o%26A")
    assert (await viewer.get(response.headers["Location"])).code == 200


@pytest.mark.gen_test
async def test_one_box_finds_openids_unionids_nicknames_and_external_ids(signed_in, authorize, service):
    li_na = await authorize("li-na", "snsapi_base")
    ming = await authorize()
    await service.vault.save_profile(Profile(APPID, ming, "小明", "", 1))
    user = await service.vault.get(APPID, ming)
    # A whole external id is found though it is how another user's nickname begins.
    await service.vault.save_profile(Profile(APPID, li_na, "m-1 & co", "", 1))
    await service.vault.set_external_id(APPID, ming, "m-1")
    operator = signed_in(Role.OPERATOR)
    assert "m-1" in text_of(await operator.get(user_path(APPID, ming)))
    for text, field in (
        (ming, "openid"),
        (user.unionid, "unionid"),
        ("小", "nickname"),
        ("m-1", "external_id"),
    ):
        response = await operator.get(f"/admin/users?q={quote(text)}")
        assert listed(response) == [ming], field
        export = unescape(re.search(r'href="(/admin/users\.csv[^"]*)"', text_of(response))[1])
        assert text in text_of(await operator.get(export))
    assert listed(await operator.get(f"/admin/users?by=openid&q={quote('小')}")) == []
    assert listed(await operator.get("/admin/users?q=nobody")) == []


@pytest.mark.gen_test
async def test_a_filter_that_is_not_valid_keeps_its_form(signed_in, put_users):
    put_users(1)
    response = await signed_in().get("/admin/users?errcode=4x&q=o0&used_from=2027-01-31")
    page = text_of(response)
    assert (response.code, listed_in(page)) == (400, [])
    assert "a value that is not valid" in page
    assert "No users match" not in page
    for name, value in (("errcode", "4x"), ("q", "o0"), ("used_from", "2027-01-31")):
        assert f'name="{name}" value="{value}"' in page
