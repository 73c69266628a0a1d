import json
import re
from urllib.parse import urlencode

import pytest

from service.simulator.issued import ACCESS_TOKEN_TTL, CODE_TTL, REFRESH_TOKEN_TTL
from service.simulator.replies import Quirks

SECOND_APPID, SECOND_SECRET = "wx0000000000000002", "second-secret"

pytestmark = pytest.mark.gen_test


async def test_a_silent_code_gives_tokens_and_the_openid_only(wechat, exchange):
    reply = await exchange(wechat.issue_code("li-na"))
    assert set(reply) == {"access_token", "expires_in", "refresh_token", "openid", "scope"}
    assert reply["expires_in"] == 7200
    assert reply["scope"] == "snsapi_base"
    assert re.fullmatch(r"o[0-9A-Za-z_-]{27}", reply["openid"])
    assert 110 <= len(reply["access_token"]) <= 154
    assert 110 <= len(reply["refresh_token"]) <= 154


async def test_a_code_is_32_letters_and_digits(wechat):
    assert all(re.fullmatch(r"[0-9A-Za-z]{32}", wechat.issue_code()) for _ in range(100))


async def test_all_tokens_of_a_grant_begin_with_the_same_number(wechat, exchange, refresh):
    for _ in range(10):
        grant = await exchange(wechat.issue_code())
        wechat.advance(ACCESS_TOKEN_TTL)
        refreshed = await refresh(grant["refresh_token"])
        tokens = (grant["access_token"], grant["refresh_token"], refreshed["access_token"])
        assert len({re.match(r"\d+_", token).group() for token in tokens}) == 1


async def test_unionid_comes_with_snsapi_userinfo_only(wechat, exchange):
    wide = await exchange(wechat.issue_code("li-na", scope="snsapi_userinfo"))
    assert wide["scope"] == "snsapi_userinfo"
    assert re.fullmatch(r"o[0-9A-Za-z_-]{27}", wide["unionid"])
    assert "is_snapshotuser" not in wide


async def test_an_account_outside_the_open_platform_gets_no_unionid(wechat, exchange, userinfo):
    code = wechat.issue_code("li-na", appid=SECOND_APPID, scope="snsapi_userinfo")
    grant = await exchange(code, appid=SECOND_APPID, secret=SECOND_SECRET)
    assert "unionid" not in grant
    assert "unionid" not in await userinfo(grant)


async def test_openid_is_stable_for_a_person_and_differs_between_people_and_accounts(wechat, exchange):
    once = await exchange(wechat.issue_code("li-na"))
    again = await exchange(wechat.issue_code("li-na", scope="snsapi_userinfo"))
    somebody_else = await exchange(wechat.issue_code("lao-zhang"))
    elsewhere = await exchange(wechat.issue_code("li-na", appid=SECOND_APPID), appid=SECOND_APPID, secret=SECOND_SECRET)
    assert once["openid"] == again["openid"]
    assert len({once["openid"], somebody_else["openid"], elsewhere["openid"]}) == 3


async def test_a_snapshot_user_gets_a_virtual_identity_whose_unionid_collides(wechat, exchange, userinfo):
    real = await exchange(wechat.issue_code("li-na", scope="snsapi_userinfo"))
    virtual = await exchange(wechat.issue_code("li-na", scope="snsapi_userinfo", snapshot=True))
    another = await exchange(wechat.issue_code("lao-zhang", scope="snsapi_userinfo", snapshot=True))
    assert virtual["is_snapshotuser"] == 1
    assert len({real["openid"], virtual["openid"], another["openid"]}) == 3
    assert virtual["unionid"] == another["unionid"] != real["unionid"]
    profile = await userinfo(virtual)
    assert profile["nickname"] == "微信用户"
    assert "is_snapshotuser" not in profile


async def test_the_second_exchange_of_a_code_gets_40163(wechat, exchange):
    code = wechat.issue_code()
    await exchange(code)
    assert (await exchange(code))["errcode"] == 40163


async def test_a_code_lasts_five_minutes(wechat, exchange):
    code = wechat.issue_code()
    late = wechat.issue_code()
    wechat.advance(CODE_TTL - 1)
    assert "openid" in await exchange(code)
    wechat.advance(1)
    assert (await exchange(late))["errcode"] == 40029


async def test_quirk_expired_code_as_42003(wechat, exchange):
    wechat.quirks = Quirks(expired_code_as_42003=True)
    code = wechat.issue_code()
    wechat.advance(CODE_TTL)
    assert (await exchange(code))["errcode"] == 42003


@pytest.mark.parametrize("code", ["unknown", "%", "代码", "x" * 5000])
async def test_an_unknown_or_malformed_code_gets_40029(exchange, code):
    assert (await exchange(code))["errcode"] == 40029


async def test_a_code_of_another_account_gets_40029_and_stays_good(wechat, exchange):
    code = wechat.issue_code(appid=SECOND_APPID)
    assert (await exchange(code))["errcode"] == 40029
    assert "openid" in await exchange(code, appid=SECOND_APPID, secret=SECOND_SECRET)


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"appid": None}, 41002),
        ({"secret": None}, 41004),
        ({"code": None}, 41008),
        ({"code": ""}, 41008),
        ({"grant_type": None}, 40002),
        ({"grant_type": "refresh_token"}, 40002),
        ({"appid": "wx-nobody"}, 40013),
        ({"secret": "wrong"}, 40125),
        ({"secret": SECOND_SECRET}, 40001),
    ],
)
async def test_a_refused_exchange_names_its_reason_and_leaves_the_code_good(wechat, exchange, changes, errcode):
    code = wechat.issue_code()
    assert (await exchange(code, **changes))["errcode"] == errcode
    assert "openid" in await exchange(code)


async def test_an_early_refresh_keeps_the_access_token_and_renews_its_expiry(wechat, exchange, refresh, auth):
    grant = await exchange(wechat.issue_code())
    wechat.advance(ACCESS_TOKEN_TTL - 1)
    refreshed = await refresh(grant["refresh_token"])
    same = ("access_token", "refresh_token", "openid", "expires_in")
    assert [refreshed[name] for name in same] == [grant[name] for name in same]
    wechat.advance(ACCESS_TOKEN_TTL - 1)
    assert (await auth(grant))["errcode"] == 0


async def test_a_late_refresh_gives_a_new_access_token(wechat, exchange, refresh, auth):
    grant = await exchange(wechat.issue_code())
    wechat.advance(ACCESS_TOKEN_TTL)
    refreshed = await refresh(grant["refresh_token"])
    assert refreshed["access_token"] != grant["access_token"]
    assert refreshed["refresh_token"] == grant["refresh_token"]
    assert refreshed["expires_in"] == 7200
    assert (await auth(refreshed))["errcode"] == 0
    assert (await auth(grant))["errcode"] == 42001


async def test_refreshing_does_not_extend_the_thirty_days(wechat, exchange, refresh):
    grant = await exchange(wechat.issue_code())
    wechat.advance(REFRESH_TOKEN_TTL - 1)
    assert "access_token" in await refresh(grant["refresh_token"])
    wechat.advance(1)
    assert (await refresh(grant["refresh_token"]))["errcode"] == 42002


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"appid": None}, 41002),
        ({"refresh_token": None}, 41003),
        ({"grant_type": None}, 40002),
        ({"grant_type": "authorization_code"}, 40002),
        ({"appid": "wx-nobody"}, 40013),
        ({"appid": SECOND_APPID}, 40030),
        ({"refresh_token": "unknown"}, 40030),
    ],
)
async def test_a_refused_refresh_names_its_reason(wechat, exchange, refresh, changes, errcode):
    grant = await exchange(wechat.issue_code())
    assert (await refresh(grant["refresh_token"], **changes))["errcode"] == errcode


async def test_a_second_exchange_makes_the_older_access_token_not_latest(wechat, exchange, refresh, auth, userinfo):
    older = await exchange(wechat.issue_code(scope="snsapi_userinfo"))
    newer = await exchange(wechat.issue_code())
    refused = await auth(older)
    assert refused["errcode"] == 40001
    assert "not latest" in refused["errmsg"]
    assert (await auth(newer))["errcode"] == 0
    revived = await refresh(older["refresh_token"])
    assert revived["access_token"] != older["access_token"]
    assert (await userinfo(revived))["nickname"] == "李娜😀"
    assert (await auth(newer))["errcode"] == 0


async def test_another_persons_exchange_leaves_tokens_alone(wechat, exchange, auth):
    grant = await exchange(wechat.issue_code("li-na"))
    await exchange(wechat.issue_code("lao-zhang"))
    assert (await auth(grant))["errcode"] == 0


async def test_userinfo_shows_the_profile_with_the_fields_that_are_empty_since_2021(wechat, exchange, userinfo):
    grant = await exchange(wechat.issue_code("li-na", scope="snsapi_userinfo"))
    profile = await userinfo(grant)
    assert profile.pop("headimgurl").startswith("https://thirdwx.qlogo.cn/mmopen/")
    assert profile == {
        "openid": grant["openid"],
        "nickname": "李娜😀",
        "sex": 0,
        "language": "",
        "city": "",
        "province": "",
        "country": "",
        "privilege": [],
        "unionid": grant["unionid"],
    }


@pytest.mark.parametrize("lang", ["zh_TW", "en", None, "xx"])
async def test_userinfo_takes_any_language(wechat, exchange, userinfo, lang):
    grant = await exchange(wechat.issue_code("lao-zhang", scope="snsapi_userinfo"))
    profile = await userinfo(grant, lang=lang)
    assert profile["nickname"] == "<b>老张</b>"
    assert profile["headimgurl"] == ""


async def test_userinfo_with_a_silent_scope_gets_48001(wechat, exchange, userinfo):
    assert (await userinfo(await exchange(wechat.issue_code())))["errcode"] == 48001


WRONG_TOKEN_CALLS = [
    ({"access_token": None}, 41001),
    ({"openid": None}, 41009),
    ({"access_token": "unknown"}, 40001),
    ({"openid": "o-somebody-else"}, 40003),
]


@pytest.mark.parametrize(("changes", "errcode"), WRONG_TOKEN_CALLS)
async def test_userinfo_checks_token_and_openid(wechat, exchange, userinfo, changes, errcode):
    grant = await exchange(wechat.issue_code(scope="snsapi_userinfo"))
    assert (await userinfo(grant, **changes))["errcode"] == errcode


@pytest.mark.parametrize(("changes", "errcode"), WRONG_TOKEN_CALLS)
async def test_auth_checks_token_and_openid(wechat, exchange, auth, changes, errcode):
    grant = await exchange(wechat.issue_code())
    assert (await auth(grant, **changes))["errcode"] == errcode


async def test_an_access_token_lasts_two_hours(wechat, exchange, userinfo, auth):
    grant = await exchange(wechat.issue_code(scope="snsapi_userinfo"))
    wechat.advance(ACCESS_TOKEN_TTL - 1)
    assert await auth(grant) == {"errcode": 0, "errmsg": "ok"}
    wechat.advance(1)
    assert (await auth(grant))["errcode"] == 42001
    assert (await userinfo(grant))["errcode"] == 42001


async def test_time_may_also_be_moved_by_the_clock_that_was_given(wechat, clock, exchange):
    code = wechat.issue_code()
    clock.advance(CODE_TTL)
    assert (await exchange(code))["errcode"] == 40029


def as_form(fields):
    return {"body": urlencode(fields), "headers": {"Content-Type": "application/x-www-form-urlencoded"}}


def as_multipart(fields):
    parts = "".join(
        f'--limit\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    return {"body": f"{parts}--limit--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=limit"}}


@pytest.mark.parametrize("encoded", [as_form, as_multipart])
async def test_all_calls_take_their_arguments_from_a_posted_form(wechat, fetch, encoded):
    async def post(path, **fields):
        response = await fetch(path, method="POST", **encoded(fields))
        assert (response.code, response.headers["Content-Type"]) == (200, "text/plain")
        return json.loads(response.body)

    grant = await post(
        "/sns/oauth2/access_token",
        appid="wx0000000000000001",
        secret="first-secret",
        code=wechat.issue_code("li-na", scope="snsapi_userinfo"),
        grant_type="authorization_code",
    )
    refreshed = await post(
        "/sns/oauth2/refresh_token",
        appid="wx0000000000000001",
        grant_type="refresh_token",
        refresh_token=grant["refresh_token"],
    )
    assert refreshed["access_token"] == grant["access_token"]
    token = {"access_token": grant["access_token"], "openid": grant["openid"]}
    assert (await post("/sns/userinfo", **token))["nickname"] == "李娜😀"
    assert await post("/sns/auth", **token) == {"errcode": 0, "errmsg": "ok"}


async def test_arguments_may_stand_partly_in_the_query_and_partly_in_the_form(wechat, exchange, fetch):
    grant = await exchange(wechat.issue_code())
    form = as_form({"access_token": grant["access_token"]})
    response = await fetch("/sns/auth", {"openid": grant["openid"]}, method="POST", **form)
    assert json.loads(response.body)["errcode"] == 0


async def test_head_is_answered_like_get_without_a_body(fetch):
    response = await fetch("/sns/auth", method="HEAD")
    assert (response.code, response.headers["Content-Type"], response.body) == (200, "text/plain", b"")
    assert int(response.headers["Content-Length"]) > 0


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_other_methods_are_not_allowed(fetch, method):
    response = await fetch("/sns/auth", method=method, body=None if method == "DELETE" else "")
    assert (response.code, response.body) == (405, b"405 Method Not Allowed\n")
    assert response.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("path", ["/", "/sns", "/sns/auth/", "/cgi-bin/user/info", "/simulator/nothing"])
async def test_an_unknown_path_is_not_found_in_plain_words(fetch, path):
    response = await fetch(path)
    assert (response.code, response.body) == (404, b"404 Not Found\n")
    assert "Server" not in response.headers


async def test_an_error_text_ends_in_a_rid_that_begins_with_the_time(wechat, exchange):
    errmsg = (await exchange("unknown"))["errmsg"]
    assert re.fullmatch(rf"invalid code, rid: {wechat.now():08x}-[0-9a-f]{{8}}-[0-9a-f]{{8}}", errmsg)


async def test_bodies_are_compact_utf8_json_with_characters_as_they_are(wechat, exchange, fetch):
    grant = await exchange(wechat.issue_code(scope="snsapi_userinfo"))
    query = {"access_token": grant["access_token"], "openid": grant["openid"]}
    response = await fetch("/sns/userinfo", query)
    assert '"nickname":"李娜😀"'.encode() in response.body
    assert rb'"headimgurl":"https:\/\/thirdwx.qlogo.cn\/mmopen\/' in response.body
    assert "Etag" not in response.headers
    assert "Server" not in response.headers


async def test_arguments_that_are_not_utf8_are_wrong_values(fetch):
    response = await fetch("/sns/auth?access_token=%ff&openid=%fe")
    assert json.loads(response.body)["errcode"] == 40001


async def test_quirk_numbers_as_strings(wechat, exchange):
    wechat.quirks = Quirks(numbers_as_strings=True)
    assert (await exchange("unknown"))["errcode"] == "40029"
    assert (await exchange(wechat.issue_code()))["expires_in"] == "7200"


async def test_quirk_control_characters_makes_json_that_strict_readers_refuse(wechat, exchange, fetch):
    grant = await exchange(wechat.issue_code(scope="snsapi_userinfo"))
    wechat.quirks = Quirks(control_characters=True)
    response = await fetch("/sns/userinfo", {"access_token": grant["access_token"], "openid": grant["openid"]})
    with pytest.raises(json.JSONDecodeError):
        json.loads(response.body)
    assert json.loads(response.body, strict=False)["nickname"] == "李娜😀\b"


async def test_quirk_hints_in_errmsg(wechat, exchange):
    wechat.quirks = Quirks(hints_in_errmsg=True)
    assert re.fullmatch(r"invalid code, hints: \[ req_id: [\w-]+ \]", (await exchange("unknown"))["errmsg"])


async def test_quirk_omit_refresh_token(wechat, exchange, refresh):
    wechat.quirks = Quirks(omit_refresh_token=True)
    grant = await exchange(wechat.issue_code())
    assert "refresh_token" not in await refresh(grant["refresh_token"])


async def test_a_refresh_lists_both_scopes_and_quirks_change_that(wechat, exchange, refresh):
    silent, wide = [await exchange(wechat.issue_code(scope=scope)) for scope in ("snsapi_base", "snsapi_userinfo")]

    async def scopes():
        return [(await refresh(grant["refresh_token"]))["scope"] for grant in (silent, wide)]

    assert await scopes() == ["snsapi_base,snsapi_userinfo,", "snsapi_base,snsapi_userinfo,"]
    wechat.quirks = Quirks(refresh_lists_own_scope=True)
    assert await scopes() == ["snsapi_base,", "snsapi_base,snsapi_userinfo,"]
    wechat.quirks = Quirks(documented_refresh_reply=True)
    assert await scopes() == ["snsapi_base", "snsapi_userinfo"]


async def test_quirk_silent_unionid(wechat, exchange):
    assert "unionid" not in await exchange(wechat.issue_code("li-na"))
    wechat.quirks = Quirks(silent_unionid=True)
    silent = await exchange(wechat.issue_code("li-na"))
    assert silent["unionid"] == (await exchange(wechat.issue_code("li-na", scope="snsapi_userinfo")))["unionid"]
    code = wechat.issue_code("li-na", appid=SECOND_APPID)
    assert "unionid" not in await exchange(code, appid=SECOND_APPID, secret=SECOND_SECRET)


async def test_quirk_silent_login_takes_over(wechat, exchange, refresh, userinfo):
    wechat.quirks = Quirks(silent_login_takes_over=True)
    somebody_elses = await exchange(wechat.issue_code("lao-zhang", scope="snsapi_userinfo"))
    never_asked = await exchange(wechat.issue_code("li-na"))
    wide = await exchange(wechat.issue_code("li-na", scope="snsapi_userinfo"))
    silent = await exchange(wechat.issue_code("li-na"))
    assert (await refresh(wide["refresh_token"]))["errcode"] == 40030
    assert (await userinfo(silent))["nickname"] == "李娜😀"
    assert (await userinfo(await refresh(silent["refresh_token"])))["nickname"] == "李娜😀"
    assert (await userinfo(await refresh(never_asked["refresh_token"])))["errcode"] == 48001
    assert "access_token" in await refresh(somebody_elses["refresh_token"])


async def test_quirk_keep_older_tokens(wechat, exchange, auth):
    wechat.quirks = Quirks(keep_older_tokens=True)
    older = await exchange(wechat.issue_code())
    await exchange(wechat.issue_code())
    assert (await auth(older))["errcode"] == 0


async def test_calls_and_outcomes_are_counted_by_endpoint(wechat, exchange, refresh, auth):
    grant = await exchange(wechat.issue_code())
    await exchange("unknown")
    await refresh(grant["refresh_token"])
    await auth(grant)
    assert wechat.calls == {"access_token": 2, "refresh_token": 1, "auth": 1}
    assert wechat.outcomes["access_token"] == {"ok": 1, "40029": 1}


async def test_every_secret_is_listed_also_after_a_reset(wechat, exchange, refresh):
    code = wechat.issue_code()
    grant = await exchange(code)
    wechat.advance(ACCESS_TOKEN_TTL)
    refreshed = await refresh(grant["refresh_token"])
    wechat.reset()
    assert wechat.issued_secrets() >= {
        "first-secret",
        code,
        grant["access_token"],
        grant["refresh_token"],
        refreshed["access_token"],
    }
    assert (await exchange(code))["errcode"] == 40029
