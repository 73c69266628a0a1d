"""What the values of settings may be, and what becomes of them."""

import json
from dataclasses import fields
from ipaddress import ip_network

import pytest

from service.settings import Address, Settings, parse_address
from service.wechat.protocol import Account
from tests.service.settings.loading import SECRET_WORD, load

ROWS = fields(Settings)


def test_without_any_setting_the_defaults_hold():
    settings = load()
    assert settings.listen == Address("127.0.0.1", 8888)
    assert settings.admin_listen == Address("127.0.0.1", 8889)
    assert settings.database_url == "sqlite:///var/wechat-openid.db"
    assert settings.token_store == "sql"
    assert settings.wechat_api_url == "https://api.weixin.qq.com"
    assert settings.trusted_proxies == ()
    assert settings.refresh_active_within_days == 7
    assert settings.workers == 1


def test_every_setting_says_what_it_is_about(subtests):
    for row in ROWS:
        with subtests.test(row=row.name):
            about = row.metadata["about"]
            assert about.endswith(".")
            assert len(about) > len("The port.")


def test_values_are_read_from_the_environment(subtests):
    for name, text, value in [
        ("APPID", " wx1 ", "wx1"),
        ("LISTEN", "[::1]:80", Address("::1", 80)),
        ("LISTEN", ":8080", Address("0.0.0.0", 8080)),
        ("LISTEN", "localhost:0", Address("localhost", 0)),
        ("PUBLIC_URL", "", ""),
        ("PUBLIC_URL", "https://h5.example.com/wechat/", "https://h5.example.com/wechat"),
        ("WECHAT_API_URL", "http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("WECHAT_API_URL", "http://[::1]:9000/", "http://[::1]:9000"),
        ("PUBLIC_URL", "https://例子.中国/h5", "https://xn--fsqu00a.xn--fiqs8s/h5"),
        ("PUBLIC_URL", "http://[0:0::1]:8888", "http://[::1]:8888"),
        ("ADMIN_URL", "https://admin.example.com/", "https://admin.example.com"),
        (
            "ALLOWED_ORIGINS",
            "https://H5.example.com/, https://例子.中国",
            ("https://h5.example.com", "https://xn--fsqu00a.xn--fiqs8s"),
        ),
        (
            "WECHAT_API_URL",
            "https://api.weixin.qq.com/, https://api2.weixin.qq.com,https://api.weixin.qq.com",
            "https://api.weixin.qq.com,https://api2.weixin.qq.com",
        ),
        ("REQUIRE_STATE", "1", True),
        ("REQUIRE_STATE", "No", False),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,::1,", (*map(ip_network, ("127.0.0.1", "10.0.0.0/8", "::1")),)),
        ("HTTP_SERVER", "tornado", "tornado"),
        ("HTTP_SERVER", "", None),
        ("WECHAT_TRANSPORT", "curl", "curl"),
        ("WECHAT_TIMEOUT_SECONDS", "2.5", 2.5),
        ("WORKERS", "4", 4),
        ("REFRESH_ACTIVE_WITHIN_DAYS", "0", 0),
        ("RATE_LIMIT", "", ""),
        ("RATE_LIMIT", "10/second;600/minute", "10/second;600/minute"),
        ("RATE_LIMIT_STORAGE", "async+redis://:pw@redis:6379/1", "async+redis://:pw@redis:6379/1"),
        ("LOG_FORMAT", "json", "json"),
        ("ACCOUNTS", "", ()),
        ("ACCOUNTS", "[]", ()),
    ]:
        with subtests.test(name=name, text=text, value=value):
            assert getattr(load(**{name: text}), name.lower()) == value


def test_accounts_are_a_json_list_whose_first_is_the_default():
    accounts = load(ACCOUNTS='[{"appid": "wx1", "secret": "a"}, {"appid": "wx2", "secret": "b", "name": "店"}]')
    assert accounts.all_accounts() == (Account("wx1", "a"), Account("wx2", "b", "店"))


def test_a_website_account_may_stand_in_for_an_official_one():
    official = {"appid": "wx1", "secret": "a", "outside_wechat": "wx2"}
    website = {"appid": "wx2", "secret": "b", "kind": "website"}
    first, second = load(ACCOUNTS=json.dumps([official, website])).all_accounts()
    assert (first.kind, first.outside_wechat, first.scopes) == ("official", "wx2", ("snsapi_base", "snsapi_userinfo"))
    assert (second.kind, second.scopes) == ("website", ("snsapi_login",))


def test_one_account_comes_from_appid_and_secret():
    assert load(APPID="wx1", SECRET="s").all_accounts() == (Account("wx1", "s"),)


SECRETS = {
    "SECRET": SECRET_WORD,
    "DATABASE_URL": f"postgresql://user:{SECRET_WORD}@db/x",
    "TOKEN_STORE_URL": f"cassandra://user:{SECRET_WORD}@db/x",
    "SECRET_KEYS": SECRET_WORD,
    "RATE_LIMIT_STORAGE": f"async+redis://:{SECRET_WORD}@redis:6379",
    "ACCOUNTS": json.dumps([{"appid": "wx1", "secret": SECRET_WORD}]),
}


def test_a_repr_never_shows_a_secret():
    settings = load(APPID="wx1", **SECRETS)
    assert SECRET_WORD not in f"{settings!r} {settings} {settings.accounts!r}"
    assert "wx1" in repr(settings)


@pytest.mark.parametrize("text", ["127.0.0.1:8888", "[::1]:8888", "localhost:0"])
def test_an_address_is_written_as_it_is_read(text):
    assert str(parse_address(text)) == text
