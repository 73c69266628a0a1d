"""The settings of the H5 side."""

import json

import pytest

from service.settings import SettingsError
from tests.service.settings.loading import load

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


def test_origins_are_listed_as_browsers_write_them_and_once():
    settings = load(ALLOWED_ORIGINS="https://H5.example.com:443, https://h5.example.com,http://localhost:5173,")
    assert settings.allowed_origins == ("https://h5.example.com", "http://localhost:5173")


def test_verification_files_are_a_folder_that_exists(tmp_path):
    assert load(VERIFICATION_FILES=str(tmp_path)).verification_files == tmp_path
    assert load().verification_files is None
    with pytest.raises(SettingsError, match="VERIFICATION_FILES must be an existing folder"):
        load(VERIFICATION_FILES=str(tmp_path / "missing"))


def test_identity_tokens_need_an_issuer():
    with pytest.raises(SettingsError, match="ID_TOKEN_AUDIENCE needs WECHAT_OPENID_PUBLIC_URL"):
        load(ID_TOKEN_AUDIENCE="shop")
    assert load(ID_TOKEN_AUDIENCE="shop", PUBLIC_URL="https://api.example.com").id_token_audience == "shop"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EVENT_AES_KEY", "too-short"),
        ("EVENT_AES_KEY", f"{AES_KEY},too-short"),
        ("EVENT_AES_KEY", f"{AES_KEY},"),
        ("EVENT_FORWARD_URL", "backend:8000/x"),
        ("EVENT_FORWARD_URL", "ftp://10.0.0.5/"),
        ("EVENT_FORWARD_URL", "https:///wechat"),
        ("EVENT_FORWARD_URL", "https://backend.example.com:0/"),
        ("EVENT_FORWARD_URL", "https://backend.example.com:seven/"),
        ("EVENT_FORWARD_URL", "https://user:password@backend.example.com/"),
        ("EVENT_FORWARD_URL", "https://backend.example.com/#wechat"),
        ("EVENT_FORWARD_URL", "https://backend.example.com/a b"),
        ("EVENT_FORWARD_URL", "https://backend.example.com/微信"),
        ("EVENT_FORWARD_URL", "https://[::1/"),
        ("EVENT_FORWARD_URL", "http://backend.example.com/"),
        ("EVENT_FORWARD_URL", "http://8.8.8.8/"),
        ("EVENT_FORWARD_URL", "http://[2400:3200::1]/"),
    ],
)
def test_keys_and_addresses_of_events_that_cannot_work_are_named_and_not_quoted(name, value):
    with pytest.raises(SettingsError, match=name) as caught:
        load(**{name: value})
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://backend.example.com",
        "https://backend.example.com:8443/wechat?a=b",
        "http://127.0.0.1:8000/",
        "http://10.0.0.5/wechat",
        "http://[::1]:8000/",
        "http://backend:8000/",
        "http://backend.shop.svc.cluster.local/",
        "http://backend.internal/",
    ],
)
def test_messages_are_forwarded_over_tls_or_in_a_private_network(url):
    [account] = load(APPID="wx1", SECRET="s", EVENT_TOKEN="token", EVENT_FORWARD_URL=url).all_accounts()
    assert account.event_forward_url == url


def test_nothing_is_forwarded_that_is_not_known_to_be_wechats():
    url = "https://backend.example.com"
    with pytest.raises(SettingsError, match="EVENT_TOKEN"):
        load(APPID="wx1", SECRET="s", EVENT_FORWARD_URL=url)
    with pytest.raises(SettingsError, match="event_token"):
        load(ACCOUNTS=json.dumps([{"appid": "wx1", "secret": "s", "event_forward_url": url}]))
    entry = {"appid": "wx1", "secret": "s", "event_token": "t", "event_forward_url": url}
    assert load(ACCOUNTS=json.dumps([entry])).all_accounts()[0].event_forward_url == url
    with pytest.raises(SettingsError, match="event_forward_url"):
        load(ACCOUNTS=json.dumps([{**entry, "event_forward_url": "http://8.8.8.8"}]))


def test_while_the_aes_key_is_changed_both_are_given():
    keys = f"{AES_KEY}, {AES_KEY.swapcase()}"
    [account] = load(APPID="wx1", SECRET="s", EVENT_TOKEN="token", EVENT_AES_KEY=keys).all_accounts()
    assert account.event_aes_keys == (AES_KEY, AES_KEY.swapcase())


def test_one_account_takes_events_by_the_settings_of_their_own():
    [account] = load(APPID="wx1", SECRET="s", EVENT_TOKEN="token", EVENT_AES_KEY=AES_KEY).all_accounts()
    assert (account.event_token, account.event_aes_key) == ("token", AES_KEY)


def test_several_accounts_take_events_by_their_entries():
    entries = [{"appid": "wx1", "secret": "s"}, {"appid": "wx2", "secret": "s", "event_token": "t"}]
    accounts = load(ACCOUNTS=json.dumps(entries)).all_accounts()
    assert [account.event_token for account in accounts] == ["", "t"]
    with pytest.raises(SettingsError, match="event_token"):
        load(ACCOUNTS=json.dumps(entries), EVENT_TOKEN="t").all_accounts()
    with pytest.raises(SettingsError, match="event_aes_key"):
        load(ACCOUNTS=json.dumps([{"appid": "wx1", "secret": "s", "event_aes_key": "short"}]))


def test_a_repr_shows_neither_token_nor_key():
    settings = load(APPID="wx1", SECRET="s", EVENT_TOKEN="hidden-token", EVENT_AES_KEY=AES_KEY)
    for text in (repr(settings), repr(settings.all_accounts())):
        assert "hidden-token" not in text
        assert AES_KEY not in text
