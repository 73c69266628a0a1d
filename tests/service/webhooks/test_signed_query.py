"""Which forms of a signed query are WeChat's."""

import pytest

from service.webhooks.signed_query import InvalidSignature, SignedQuery
from tests.service.http.handlers.pushes import sign

NOW = 1_800_000_000
TOKEN = "token"


def query(timestamp=str(NOW), nonce="1320562132", signature=None, more=""):
    signature = sign(TOKEN, timestamp, nonce) if signature is None else signature
    return f"signature={signature}&timestamp={timestamp}&nonce={nonce}{more}"


def is_accepted(text, now=NOW):
    try:
        SignedQuery.parse(text).require(TOKEN, now)
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("nonce", ["1", "486452656", "1320562132", "xK9pQ2"])
def test_what_wechat_sends_is_accepted(nonce):
    assert is_accepted(query(nonce=nonce))
    assert is_accepted(query(nonce=nonce, more="&openid=o-1&openid=o-1&encrypt_type=aes"))


def test_other_forms_are_refused_though_their_signature_is_good(subtests):
    for name, text in {
        "a boundary moved": query(f"{NOW}1", "320562132"),
        "a boundary moved back": query(str(NOW)[:9], "0" + "1320562132"),
        "leading zero": query(f"0{NOW}"),
        "sign": query(f"%2B{NOW}"),
        "space": query(f"{NOW}+"),
        "other digits": query(str(NOW).translate({ord(str(digit)): 0x660 + digit for digit in range(10)})),
        "exponent": query("1800000e03"),
        "no time": query(""),
        "no nonce": query(nonce=""),
        "nonce with a separator": query(nonce="13-20"),
        "nonce of any length": query(nonce="1" * 65),
        "capital signature": query(signature=sign(TOKEN, str(NOW), "1320562132").upper()),
        "time twice": query(more=f"&timestamp={NOW}"),
        "nonce twice": query(more="&nonce=7"),
        "signature twice": query(more="&signature=7"),
        "hidden behind hundreds": query(more="&a=b" * 300),
    }.items():
        with subtests.test(name=name):
            assert not is_accepted(text)


def test_a_signature_lasts_a_day_and_an_hour():
    assert is_accepted(query(), NOW + 25 * 3600)
    assert not is_accepted(query(), NOW + 25 * 3600 + 1)


def test_clocks_may_differ_by_an_hour():
    assert is_accepted(query(), NOW - 3600)
    assert not is_accepted(query(), NOW - 3601)


def test_an_encrypted_message_is_covered_by_its_own_signature_only():
    text = query(more=f"&msg_signature={sign(TOKEN, str(NOW), '1320562132', 'sealed')}")
    SignedQuery.parse(text).require(TOKEN, NOW, encrypted="sealed")
    with pytest.raises(InvalidSignature):
        SignedQuery.parse(text).require(TOKEN, NOW, encrypted="other")
    with pytest.raises(InvalidSignature):
        SignedQuery.parse(query()).require(TOKEN, NOW, encrypted="")
