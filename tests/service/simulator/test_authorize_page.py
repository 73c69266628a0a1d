import re
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from service.simulator.replies import Quirks

PATH = "/connect/oauth2/authorize"
FIRST = "wx0000000000000001"
SECOND = "wx0000000000000002"
SILENT_ONLY = "wx0000000000000003"


def query(**changes):
    """Return the parameters in WeChat's order; None leaves one out, new ones stand at the end."""
    parameters = {
        "appid": FIRST,
        "redirect_uri": "https://h5.example.com/page",
        "response_type": "code",
        "scope": "snsapi_base",
        "state": "abc123",
    }
    return {name: value for name, value in (parameters | changes).items() if value is not None}


def form(**fields):
    return {"method": "POST", "body": urlencode(fields)}


def came_back_with(response):
    assert response.code == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}


pytestmark = pytest.mark.gen_test


async def test_a_silent_authorization_goes_straight_back_with_code_and_state(fetch, exchange):
    response = await fetch(PATH, query())
    assert response.headers["Location"].startswith("https://h5.example.com/page?code=")
    back = came_back_with(response)
    assert back["state"] == "abc123"
    assert (await exchange(back["code"]))["scope"] == "snsapi_base"


@pytest.mark.parametrize(
    ("redirect_uri", "expected"),
    [
        (
            "https://h5.example.com/?a=1&b=%2F",
            r"https://h5\.example\.com/\?a=1&b=%2F&code=[0-9A-Za-z]{32}&state=abc123",
        ),
        (
            "https://h5.example.com/#/route?x=1",
            r"https://h5\.example\.com/\?code=[0-9A-Za-z]{32}&state=abc123#/route\?x=1",
        ),
        ("http://localhost:8888", r"http://localhost:8888/\?code=[0-9A-Za-z]{32}&state=abc123"),
    ],
)
async def test_code_and_state_stand_behind_the_query_and_before_the_hash(fetch, redirect_uri, expected):
    response = await fetch(PATH, query(redirect_uri=redirect_uri))
    assert re.fullmatch(expected, response.headers["Location"])


async def test_state_may_be_left_out(fetch):
    response = await fetch(PATH, query(state=None))
    assert response.headers["Location"].endswith("&state=")


async def test_state_may_be_128_bytes(fetch):
    assert came_back_with(await fetch(PATH, query(state="a" * 128)))["state"] == "a" * 128


@pytest.mark.parametrize(
    "state",
    [
        "bbs_login",
        "aHR0cHM6Ly9leGFtcGxlLmNvbQ==",
        "https://example.com/page?a=1&b=2#route",
        "a b+c%20",
        "oCJUsw4szbvmfJh99mNaAWrFoRxA_OSAP_shortCode=1.2~3",
        "状态",
    ],
)
async def test_state_may_hold_any_character_and_comes_back_as_it_went(fetch, state):
    response = await fetch(PATH, query(state=state))
    assert came_back_with(response)["state"] == state
    assert "+" not in urlsplit(response.headers["Location"]).query


async def test_a_wrong_parameter_is_shown_on_the_page_and_never_sent_back(wechat, fetch, subtests):
    for changes, number in [
        ({"appid": None}, 10012),
        ({"appid": "wx-nobody"}, 10016),
        ({"redirect_uri": None}, 10011),
        ({"redirect_uri": "/relative"}, 10003),
        ({"redirect_uri": "ftp://h5.example.com/"}, 10003),
        ({"redirect_uri": "https://[broken"}, 10003),
        ({"redirect_uri": "https://h5.example.com/\x00"}, 10003),
        ({"appid": SECOND, "redirect_uri": "https://www.h5.example.com/"}, 10003),
        ({"appid": SECOND, "redirect_uri": "https://example.com/?h5.example.com"}, 10003),
        ({"appid": SECOND, "redirect_uri": "https://h5.example.com@evil.example/"}, 10003),
        ({"response_type": None}, 10014),
        ({"response_type": "token"}, 10014),
        ({"scope": None}, 10010),
        ({"scope": "snsapi_login"}, 10005),
        ({"appid": SILENT_ONLY, "scope": "snsapi_userinfo"}, 10005),
        ({"state": "a" * 129}, 10013),
        ({"state": "代" * 43}, 10013),
    ]:
        with subtests.test(changes=changes, number=number):
            before = wechat.outcomes["authorize"].copy()
            response = await fetch(PATH, query(**changes))
            assert response.code == 200
            assert "Location" not in response.headers
            assert f"错误码: {number}" in response.body.decode()
            assert wechat.outcomes["authorize"] - before == {str(number): 1}


async def test_the_host_of_the_redirect_uri_is_compared_without_port_and_path(fetch):
    response = await fetch(PATH, query(appid=SECOND, redirect_uri="https://H5.example.com:8443/a/b"))
    assert "code" in came_back_with(response)


async def test_parameters_out_of_order_are_refused(fetch):
    swapped = dict(sorted(query().items(), reverse=True))
    assert "10014" in (await fetch(PATH, swapped)).body.decode()


async def test_extras_belong_after_state(fetch):
    assert "code" in came_back_with(await fetch(PATH, query(forcePopup="true")))
    assert "10014" in (await fetch(PATH, {"forcePopup": "true"} | query())).body.decode()


async def test_a_repeated_parameter_is_refused(fetch):
    response = await fetch(f"{PATH}?{urlencode(query())}&state=again")
    assert "10014" in response.body.decode()


async def test_snsapi_userinfo_asks_the_user_with_everybody_to_choose_from(wechat, fetch):
    response = await fetch(PATH, query(scope="snsapi_userinfo"))
    page = response.body.decode()
    assert response.code == 200
    assert re.findall(r'type="radio" name="person" value="([^"]+)"', page) == ["li-na", "lao-zhang"]
    assert "李娜😀" in page
    assert "&lt;b&gt;老张&lt;/b&gt;" in page
    assert "<b>" not in page
    assert wechat.outcomes["authorize"] == {"asked": 1}


async def test_allowing_comes_back_with_a_code_of_the_chosen_person(wechat, fetch, exchange, userinfo):
    answer = form(person="lao-zhang", answer="allow")
    back = came_back_with(await fetch(PATH, query(scope="snsapi_userinfo"), **answer))
    assert back["state"] == "abc123"
    grant = await exchange(back["code"])
    assert "is_snapshotuser" not in grant
    assert (await userinfo(grant))["nickname"] == "<b>老张</b>"


async def test_denying_comes_back_with_the_state_and_no_code(wechat, fetch):
    back = came_back_with(await fetch(PATH, query(scope="snsapi_userinfo"), **form(person="li-na", answer="deny")))
    assert back == {"state": "abc123"}
    assert wechat.outcomes["authorize"] == {"denied": 1}


async def test_quirk_authdeny_denies_by_a_code_that_is_none(wechat, fetch, exchange):
    wechat.quirks = Quirks(authdeny=True)
    back = came_back_with(await fetch(PATH, query(scope="snsapi_userinfo"), **form(person="li-na", answer="deny")))
    assert back == {"code": "authdeny", "state": "abc123"}
    assert wechat.outcomes["authorize"] == {"denied": 1}
    assert (await exchange("authdeny"))["errcode"] == 40029


async def test_head_is_answered_like_get_without_a_body(fetch):
    sent_back = await fetch(PATH, query(), method="HEAD")
    assert "code" in came_back_with(sent_back)
    page = await fetch(PATH, query(scope="snsapi_userinfo"), method="HEAD")
    assert (page.code, page.body) == (200, b"")
    assert int(page.headers["Content-Length"]) > 0


async def test_a_snapshot_page_gives_a_snapshot_user(fetch, exchange):
    answer = form(person="li-na", answer="allow", snapshot="true")
    back = came_back_with(await fetch(PATH, query(scope="snsapi_userinfo"), **answer))
    assert (await exchange(back["code"]))["is_snapshotuser"] == 1


@pytest.mark.parametrize(("force", "checked"), [({}, False), ({"forceSnapShot": "true"}, True)])
async def test_force_snap_shot_ticks_the_box(fetch, force, checked):
    page = (await fetch(PATH, query(scope="snsapi_userinfo", **force))).body.decode()
    box = re.search(r'<input type="checkbox" name="snapshot"[^>]*>', page).group()
    assert ("checked" in box) is checked


async def test_silent_authorization_takes_the_first_person_until_one_is_remembered(fetch, exchange):
    first = await exchange(came_back_with(await fetch(PATH, query()))["code"])
    answered = await fetch(PATH, query(scope="snsapi_userinfo"), **form(person="lao-zhang", answer="allow"))
    chosen = await exchange(came_back_with(answered)["code"])
    cookie = answered.headers["Set-Cookie"].split(";")[0]
    silent = await fetch(PATH, query(), headers={"Cookie": cookie})
    remembered = await exchange(came_back_with(silent)["code"])
    assert remembered["openid"] == chosen["openid"] != first["openid"]


async def test_a_remembered_person_who_is_gone_is_forgotten(fetch, exchange, wechat):
    silent = await fetch(PATH, query(), headers={"Cookie": "simulator_person=nobody"})
    assert "openid" in await exchange(came_back_with(silent)["code"])


@pytest.mark.parametrize("fields", [{"answer": "allow"}, {"answer": "allow", "person": "nobody"}, {"person": "li-na"}])
async def test_a_form_without_a_known_person_or_answer_is_a_bad_request(fetch, fields):
    assert (await fetch(PATH, query(scope="snsapi_userinfo"), **form(**fields))).code == 400


@pytest.mark.parametrize(
    ("extras", "header", "language"),
    [
        ({}, "", "zh-CN"),
        ({}, "en-GB,en;q=0.9,zh;q=0.8", "en"),
        ({}, "fr,zh-TW;q=0.8,en;q=0.5", "zh-CN"),
        ({"lang": "en"}, "zh-CN", "en"),
        ({"lang": "zh_CN"}, "en", "zh-CN"),
    ],
)
async def test_the_page_speaks_chinese_and_english(fetch, extras, header, language):
    response = await fetch(PATH, query(scope="snsapi_userinfo", **extras), headers={"Accept-Language": header})
    page = response.body.decode()
    assert f'<html lang="{language}">' in page
    assert ("允许" in page) is (language == "zh-CN")
    assert ("Allow" in page) is (language == "en")


async def test_the_link_to_the_other_language_is_a_valid_request(fetch):
    page = (await fetch(PATH, query(scope="snsapi_userinfo", lang="en"))).body.decode()
    link = unescape(re.search(r'<a href="(\?[^"]+)"', page).group(1))
    assert '<html lang="zh-CN">' in (await fetch(PATH + link)).body.decode()


async def test_the_page_holds_no_script_and_its_style_is_served(fetch):
    response = await fetch(PATH, query(scope="snsapi_userinfo"))
    page = response.body.decode()
    assert "<script" not in page
    assert "<style" not in page
    assert " style=" not in page
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    style = await fetch(re.search(r'rel="stylesheet" href="([^"]+)"', page).group(1))
    assert style.headers["Content-Type"] == "text/css"
