"""Identity tokens: on request only, verifiable by the public keys, across rotations."""

from dataclasses import replace

import jwt
import pytest

from storage.sealing import generate_key
from tests.service.http.handlers.h5_browser import reply_of

pytestmark = pytest.mark.gen_test

AUDIENCE = "https://shop.example.com"
ISSUER = "https://api.example.com"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def settings(settings):
    return replace(settings, id_token_audience=AUDIENCE)


async def verified(token, browser, now):
    keys = jwt.PyJWKSet.from_dict(reply_of(await browser.fetch("/.well-known/jwks.json")))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    # The service's clock in these tests is not the machine's.
    claims = jwt.decode(
        token,
        key,
        algorithms=["EdDSA"],
        audience=AUDIENCE,
        issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["iat"] <= now < claims["exp"]
    return claims


async def test_a_token_says_who_was_authorized(browser, wechat, clock, settings):
    reply = reply_of(await browser.post_code(wechat.issue_code(scope="snsapi_userinfo"), id_token=True))
    claims = await verified(reply["id_token"], browser, clock.now())
    assert claims == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": reply["openid"],
        "appid": settings.appid,
        "unionid": reply["unionid"],
        "is_snapshotuser": False,
        "iat": clock.now(),
        "exp": clock.now() + 300,
    }


async def test_a_silent_login_has_no_unionid_and_a_snapshot_user_is_flagged(browser, wechat, clock):
    silent = reply_of(await browser.post_code(wechat.issue_code(), id_token=True))
    assert "unionid" not in await verified(silent["id_token"], browser, clock.now())
    code = wechat.issue_code(scope="snsapi_userinfo", snapshot=True)
    snapshot = reply_of(await browser.post_code(code, id_token=True))
    assert (await verified(snapshot["id_token"], browser, clock.now()))["is_snapshotuser"] is True


async def test_it_is_given_on_request_only(browser, wechat):
    for fields in ({}, {"id_token": False}, {"id_token": None}):
        assert "id_token" not in reply_of(await browser.post_code(wechat.issue_code(), **fields))
    body = f"code={wechat.issue_code()}&id_token=true".encode()
    assert "id_token" in reply_of(await browser.fetch("/getCode", method="POST", body=body, headers=FORM))


async def test_where_it_is_not_configured_it_is_refused_before_the_code_is_spent(browser_of_changed, wechat):
    browser = await browser_of_changed(id_token_audience="")
    code = wechat.issue_code()
    refused = await browser.post_code(code, id_token=True)
    assert refused.code == 400
    assert "ID_TOKEN_AUDIENCE" in reply_of(refused)["errmsg"]
    assert (await browser.post_code(code)).code == 200


async def test_something_else_than_true_or_false_is_refused(browser, wechat):
    assert (await browser.post_code(wechat.issue_code(), id_token="yes")).code == 400


async def test_a_token_carries_the_nonce_of_the_page(browser, wechat, clock):
    for nonce in ("n-0S6_WzA2Mj", "a" * 128):
        reply = reply_of(await browser.post_code(wechat.issue_code(), id_token=True, nonce=nonce))
        assert (await verified(reply["id_token"], browser, clock.now()))["nonce"] == nonce
    reply = reply_of(await browser.post_code(wechat.issue_code(), id_token=True, nonce=""))
    assert "nonce" not in await verified(reply["id_token"], browser, clock.now())


async def test_a_nonce_that_is_none_is_refused_before_the_code_is_spent(browser, wechat, subtests):
    code = wechat.issue_code()
    for nonce in ("a" * 129, 'n"', "n\n", "随机", "a b", 7, ["n"], {"n": 1}):
        with subtests.test(nonce=nonce):
            refused = await browser.post_code(code, id_token=True, nonce=nonce)
            assert refused.code == 400
            assert "nonce" in reply_of(refused)["errmsg"]
    without_token = await browser.post_code(code, nonce="n-0S6_WzA2Mj")
    assert (without_token.code, "id_token" in reply_of(without_token)["errmsg"]) == (400, True)
    assert (await browser.post_code(code)).code == 200


async def test_an_altered_token_does_not_verify(browser, wechat, clock):
    token = reply_of(await browser.post_code(wechat.issue_code(), id_token=True))["id_token"]
    head, claims, signature = token.split(".")
    altered = ("A" if claims[0] != "A" else "B") + claims[1:]
    with pytest.raises(jwt.InvalidTokenError):
        await verified(f"{head}.{altered}.{signature}", browser, clock.now())


async def test_tokens_verify_before_during_and_after_a_rotation(browser, browser_of_changed, wechat, clock, settings):
    old = reply_of(await browser.post_code(wechat.issue_code(), id_token=True))["id_token"]
    rotated = await browser_of_changed(secret_keys=f"{generate_key()},{settings.secret_keys}")
    new = reply_of(await rotated.post_code(wechat.issue_code(), id_token=True))["id_token"]
    assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
    for token in (old, new):
        await verified(token, rotated, clock.now())


async def test_the_key_set_holds_public_keys_only(browser):
    response = await browser.fetch("/.well-known/jwks.json")
    assert response.headers["Content-Type"] == "application/jwk-set+json"
    assert "max-age" in response.headers["Cache-Control"]
    for key in reply_of(response)["keys"]:
        assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
