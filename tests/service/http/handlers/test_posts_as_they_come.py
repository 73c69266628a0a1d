"""`POST /getCode` from pages that get something wrong: what can be understood is, and the rest is explained."""

import json

import pytest

from tests.service.http.handlers.h5_browser import PAGE_ORIGIN, reply_of

pytestmark = pytest.mark.gen_test

EXCHANGE = "access_token"
TYPES = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=another",
    "text/plain;charset=UTF-8",
    "application/octet-stream",
    "é",
    None,
]


def bodies_of(code):
    return (
        json.dumps({"code": code}).encode(),
        f"code={code}&state=123".encode(),
        f"code={code}\r\n".encode(),
        f'--x\r\nContent-Disposition: form-data; name="code"\r\n\r\n{code}\r\n--x--\r\n'.encode(),
    )


async def post(browser, body, content_type=None, path="/getCode", **headers):
    if content_type is not None:
        headers["Content-Type"] = content_type
    return await browser.fetch(path, method="POST", body=body, headers=headers)


async def test_a_body_is_what_its_bytes_are_whatever_its_type_says(browser, wechat, subtests):
    for content_type in TYPES:
        for number in range(4):
            with subtests.test(content_type=content_type, number=number):
                response = await post(browser, bodies_of(wechat.issue_code())[number], content_type)
                assert response.code == 200


async def test_a_compressed_body_is_refused_plainly(browser):
    headers = {"Content-Encoding": "gzip"}
    response = await post(browser, b"\x1f\x8b\x08\x00", "application/x-www-form-urlencoded", **headers)
    assert (response.code, reply_of(response)["error"]) == (400, "request")


async def test_a_code_in_the_address_is_told_where_it_belongs(browser, wechat):
    code = wechat.issue_code()
    for method, body in (("POST", b""), ("POST", b"{}"), ("POST", b"state=123"), ("GET", None), ("HEAD", None)):
        response = await browser.fetch(f"/getCode?code={code}&state=1", method=method, body=body)
        assert response.code == 400
        assert {"POST", "OPTIONS"} <= set(response.headers["Allow"].split(", "))
        if method != "HEAD":
            reply = reply_of(response)
            assert (reply["error"], reply["errcode"]) == ("request", 41008)
            assert "send code in the body" in reply["errmsg"]
            assert code not in response.body.decode()
    assert wechat.calls[EXCHANGE] == 0


async def test_a_code_in_the_body_is_taken_whatever_stands_in_the_address(browser, wechat):
    response = await post(browser, bodies_of(wechat.issue_code())[0], path="/getCode?code=abc")
    assert response.code == 200


async def test_a_method_that_is_not_offered_is_refused_with_those_that_are(browser, subtests):
    for method, path, offered in (
        ("GET", "/getCode", "POST"),
        ("PUT", "/getCode", "POST"),
        ("POST", "/userinfo", "GET"),
        ("PATCH", "/session", "DELETE"),
        ("POST", "/healthz", "HEAD"),
        ("POST", "/.well-known/jwks.json", "HEAD"),
        ("DELETE", "/authorize", "GET"),
    ):
        with subtests.test(method=method, path=path):
            body = b"" if method in {"POST", "PUT", "PATCH"} else None
            response = await browser.fetch(path, method=method, body=body)
            assert response.code == 405
            allowed = response.headers["Allow"].split(", ")
            assert offered in allowed
            assert method not in allowed


async def test_fields_of_other_names_are_named_and_none_of_their_values(browser, wechat, subtests):
    code = wechat.issue_code()
    for fields, named in (
        ({"wxCode": code}, "wxCode"),
        ({"Code": code, "state": "s3cret"}, "Code, state"),
        ({"data": {"code": code, "state": "s3cret"}}, "inside of data"),
        ({code: True}, "1 more"),
        ({f"field{number}": code for number in range(500)}, "492 more"),
    ):
        with subtests.test(named=named):
            response = await post(browser, json.dumps(fields).encode())
            reply = reply_of(response)
            assert (response.code, reply["error"], reply["errcode"]) == (400, "request", 41008)
            assert named in reply["errmsg"]
            assert '{"code": "…"}' in reply["errmsg"]
            assert code not in reply["errmsg"]
            assert "s3cret" not in reply["errmsg"]
            assert len(reply["errmsg"]) < 300
    assert wechat.calls[EXCHANGE] == 0


async def test_a_word_alone_is_not_repeated(browser, wechat):
    code = wechat.issue_code()
    for body in (code, f"{code}&", f"?{code}"):
        response = await post(browser, body.encode(), "text/plain")
        assert response.code == 400
        assert code not in response.body.decode()


async def test_a_visitor_who_declined_costs_no_call_and_is_not_sent_round(browser, wechat, subtests):
    for code, fields in (
        ("authdeny", {}),
        ("authdeny", {"state": "123"}),
        ("authdeny", {"state": "0" * 64}),
        ("AuthDeny", {}),
        (" AUTHDENY\n", {"state": "123"}),
    ):
        with subtests.test(code=code, fields=fields):
            response = await browser.post_code(code, headers={"Origin": PAGE_ORIGIN}, **fields)
            reply = reply_of(response)
            assert (response.code, reply["error"]) == (403, "access_denied")
            assert "authorize_url" not in reply
            assert response.headers["Access-Control-Allow-Origin"] == PAGE_ORIGIN
    assert wechat.calls[EXCHANGE] == 0


async def test_what_scripts_write_for_no_value_is_no_code(browser, wechat, subtests):
    for body in (b"code=undefined", b"code=null&state=undefined", b'{"code":"undefined"}', b'{"code":" "}'):
        with subtests.test(body=body):
            response = await post(browser, body, "text/plain")
            reply = reply_of(response)
            assert (response.code, reply["errcode"]) == (400, 41008)
            assert "authorize_url" not in reply
    assert wechat.calls[EXCHANGE] == 0


async def test_a_code_is_read_without_the_white_space_around_it(browser, wechat):
    for body in (f"code=%20{wechat.issue_code()}%0A", f'{{"code":"{wechat.issue_code()}\\n"}}'):
        assert (await post(browser, body.encode(), "text/plain")).code == 200


async def test_a_state_is_spent_on_a_refusal_as_on_a_code(browser, browser_of_changed, wechat):
    state = await browser.begin()
    for _ in range(2):
        assert (await browser.post_code("authdeny", state=state)).code == 403
    elsewhere = await browser_of_changed()  # another process, which knows it by the cookie alone
    elsewhere.cookies = dict(browser.cookies)
    for one in (browser, elsewhere):
        assert (await one.post_code(wechat.issue_code(), state=state)).code == 400
    assert (await browser.post_code(wechat.issue_code(), state="123")).code == 200
    assert wechat.calls[EXCHANGE] == 1


async def test_where_states_are_required_a_refusal_is_still_a_refusal(browser_of_changed):
    browser = await browser_of_changed(require_state=True)
    assert reply_of(await browser.post_code("authdeny"))["error"] == "access_denied"


async def test_probes_may_ask_by_head(http, public_url, private_url, subtests):
    for url in (
        f"{public_url}/healthz",
        f"{public_url}/.well-known/jwks.json",
        f"{public_url}/wechat-openid.js",
        f"{private_url}/healthz",
        f"{private_url}/readyz",
        f"{private_url}/metrics",
    ):
        with subtests.test(path=url.rpartition("/")[2]):
            head = await http.fetch(url, method="HEAD")
            assert (head.code, head.body) == (200, b"")
            whole = await http.fetch(url)
            assert head.headers["Content-Type"] == whole.headers["Content-Type"]
            assert int(head.headers["Content-Length"]) > 0
