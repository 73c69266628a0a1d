"""The settings of the H5 side."""

import json

import pytest

from service.settings import PREFIX, SettingsError, load_settings

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


def load(**values):
    return load_settings(environment={f"{PREFIX}{name}": value for name, value in values.items()})


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
        ("ALLOWED_ORIGINS", "*"),
        ("ALLOWED_ORIGINS", "https://h5.example.com/path"),
        ("REQUIRE_STATE", "maybe"),
        ("EVENT_AES_KEY", "too-short"),
        ("PROFILE_CACHE_SECONDS", "-1"),
    ],
)
def test_what_cannot_work_is_named_and_not_quoted(name, value):
    with pytest.raises(SettingsError, match=name) as caught:
        load(**{name: value})
    assert value not in str(caught.value)


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
