import json
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path

import pytest

from service.settings import PREFIX, Address, Settings, SettingsError, load_settings, parse_address
from service.wechat.protocol import Account

ROWS = fields(Settings)
SECRET_WORD = "hunter2-the-secret"


def load(**values):
    return load_settings(environment={f"{PREFIX}{name}": value for name, value in values.items()})


@pytest.fixture
def toml(tmp_path):
    """Write a settings file."""

    def write(text, name="settings.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


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


def test_a_bad_value_is_named_with_what_it_should_be(subtests):
    for name, text, says in [
        ("LISTEN", "8888", "host:port"),
        ("LISTEN", "127.0.0.1:", "host:port"),
        ("LISTEN", "127.0.0.1:65536", "host:port"),
        ("LISTEN", "127.0.0.1:-1", "host:port"),
        ("LISTEN", "127.0.0.1:http", "host:port"),
        ("LISTEN", "127.0.0.1:²", "host:port"),
        ("ADMIN_LISTEN", "", "host:port"),
        ("PUBLIC_URL", "h5.example.com", "http:// or https:// URL"),
        ("PUBLIC_URL", "ftp://h5.example.com", "http:// or https:// URL"),
        ("PUBLIC_URL", "https://", "http:// or https:// URL"),
        ("PUBLIC_URL", "https://:443", "http:// or https:// URL"),
        ("PUBLIC_URL", "https://[::1", "http:// or https:// URL"),
        ("PUBLIC_URL", "https://h5.example.com:https", "http:// or https:// URL"),
        ("PUBLIC_URL", "https://h5.example.com/?a=1", "http:// or https:// URL"),
        ("PUBLIC_URL", "https://h5.example.com/#/", "http:// or https:// URL"),
        ("PUBLIC_URL", "https://h5..example.com", "as browsers write it"),
        ("PUBLIC_URL", "https://-h5.example.com", "as browsers write it"),
        ("PUBLIC_URL", "http://127.1:8888", "as browsers write it"),
        ("PUBLIC_URL", "https://a.example.com,https://b.example.com", "as browsers write it"),
        ("ADMIN_URL", "http://127.0.0.1:8889/admin", "without a path"),
        ("WECHAT_CA_FILE", "/nowhere/ca.pem", "an existing file"),
        ("WECHAT_API_URL", "", "http:// or https:// URL"),
        ("WECHAT_API_URL", "https://api.weixin.qq.com,api2.weixin.qq.com", "such as https://api.weixin.qq.com,"),
        ("WECHAT_AUTHORIZE_URL", "https://x/y?", "http:// or https:// URL"),
        ("TRUSTED_PROXIES", "nginx", "addresses or networks"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "addresses or networks"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "the network is 10.0.0.0/8"),
        ("ACCOUNTS", '[{"appid":"wx1","secret":"s"},{"appid":"wx2","secret":"s","foo":1}]', 'account 2 has "foo"'),
        ("WECHAT_TRANSPORT", "httpx", "one of: curl, requests; or empty"),
        ("WECHAT_TIMEOUT_SECONDS", "5", "a number from 0.1 to 4.9"),
        ("WECHAT_TIMEOUT_SECONDS", "nan", "a number from 0.1 to 4.9"),
        ("WECHAT_TIMEOUT_SECONDS", "", "a number from 0.1 to 4.9"),
        ("WORKERS", "0", "a whole number from 1 to 128"),
        ("WORKERS", "1.5", "a whole number from 1 to 128"),
        ("WORKERS", "many", "a whole number from 1 to 128"),
        ("REFRESH_MAX_PER_SECOND", "inf", "a number from 0.1 to 10000"),
        ("RATE_LIMIT", "a lot", "rates such as 600/minute"),
        ("RATE_LIMIT", "600/fortnight", "rates such as 600/minute"),
        ("RATE_LIMIT_STORAGE", "redis://redis:6379", "async+redis://host:6379"),
        ("RATE_LIMIT_STORAGE", "", "async+redis://host:6379"),
        ("LOG_FORMAT", "xml", "one of: text, json"),
        ("LOG_LEVEL", "LOUD", "one of: DEBUG, INFO, WARNING, ERROR"),
        ("ACCOUNTS", "wx1", "a JSON list such as"),
    ]:
        with subtests.test(name=name, text=text, says=says):
            with pytest.raises(SettingsError) as caught:
                load(**{name: text})
            [problem] = str(caught.value).splitlines()
            assert problem.startswith(f"{PREFIX}{name} must be ")
            assert says in problem


def test_all_problems_are_listed_at_once():
    with pytest.raises(SettingsError) as caught:
        load(LISTEN="here", WORKERS="none", LOG_FORMAT="xml", APP_ID="wx1")
    text = str(caught.value)
    assert len(text.splitlines()) == 4
    for name in ("LISTEN", "WORKERS", "LOG_FORMAT", "APP_ID"):
        assert f"{PREFIX}{name} " in text


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("APP_ID", "APPID"),
        ("DATABSE_URL", "DATABASE_URL"),
        ("SECRET_KEY", "SECRET_KEYS"),
        ("APPID_FIEL", "APPID_FILE"),
        ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
    ],
)
def test_a_misspelt_variable_is_answered_with_the_nearest_name(name, meant):
    with pytest.raises(SettingsError) as caught:
        load(**{name: SECRET_WORD})
    assert str(caught.value) == f"{PREFIX}{name} is not a setting; did you mean {PREFIX}{meant}?"


def test_a_name_that_is_near_nothing_is_refused_without_a_guess(toml):
    with pytest.raises(SettingsError, match=r"^zzz is not a setting$"):
        load_settings(toml("zzz = 1"), {})


@pytest.mark.parametrize(("name", "meant"), [("LISTEN", "listen"), ("app_id", "appid"), ("secret_file", "secret")])
def test_a_misspelt_name_in_the_file_is_answered_in_the_form_of_the_file(toml, name, meant):
    with pytest.raises(SettingsError, match=f"^{name} is not a setting; did you mean {meant}"):
        load_settings(toml(f'{name} = "x"'), {})


def test_variables_that_kubernetes_adds_for_a_service_of_this_name_are_no_settings():
    links = ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8888_TCP", "PORT_8888_TCP_ADDR"]
    assert load(**dict.fromkeys(links, "tcp://10.0.0.1:8888")) == load()
    with pytest.raises(SettingsError):
        load(PORTS="8888")


def test_other_variables_are_nobodys_business():
    assert load_settings(environment={"HOME": "/root", "WECHAT_APPID": "wx1", "wechat_openid_x": "1"}) == load()


def test_the_environment_goes_before_a_value_file_and_that_before_the_settings_file(tmp_path, toml):
    config = toml('appid = "from the settings file"\nsecret = "s"\nlog_level = "DEBUG"')
    value_file = tmp_path / "appid"
    value_file.write_text("from the value file\n")
    environment = {f"{PREFIX}APPID_FILE": str(value_file)}
    assert load_settings(config, {}).appid == "from the settings file"
    assert load_settings(config, environment).appid == "from the value file"
    assert load_settings(config, environment | {f"{PREFIX}APPID": "from the variable"}).appid == "from the variable"
    assert load_settings(config, environment).log_level == "DEBUG"


def test_any_value_may_come_from_a_file(tmp_path):
    port = tmp_path / "listen"
    port.write_text(" 127.0.0.1:1234 \n")
    assert load(LISTEN_FILE=str(port)).listen.port == 1234


def test_a_value_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(
        SettingsError, match=r"SECRET must be readable in the file that \w+_SECRET_FILE names: No such file"
    ):
        load(SECRET_FILE=str(tmp_path / "missing"))
    with pytest.raises(SettingsError, match=r"SECRET must be readable in the file that .*: Is a directory"):
        load(SECRET_FILE=str(tmp_path))
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"SECRET must be text in UTF-8 in the file that"):
        load(SECRET_FILE=str(binary))


def test_the_settings_file_may_use_the_types_of_toml(toml):
    settings = load_settings(
        toml(
            'listen = "127.0.0.1:9"\nworkers = 3\nwechat_timeout_seconds = 1.5\n'
            'trusted_proxies = ["10.0.0.0/8", "::1"]\n'
            '[[accounts]]\nappid = "wx1"\nsecret = "s1"\nname = "店"\n[[accounts]]\nappid = "wx2"\nsecret = "s2"\n'
        ),
        {},
    )
    assert (settings.listen.port, settings.workers, settings.wechat_timeout_seconds) == (9, 3, 1.5)
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert settings.all_accounts() == (Account("wx1", "s1", "店"), Account("wx2", "s2"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_files_written_on_windows_are_read(tmp_path, encoding):
    config, secret = tmp_path / "settings.toml", tmp_path / "secret"
    config.write_bytes(
        '# 公众号\r\nappid = "wx1"\r\nid_token_audience = "商城"\r\npublic_url = "https://x.com"'.encode(encoding)
    )
    secret.write_bytes("a secret\r\n".encode(encoding))
    settings = load_settings(config, {f"{PREFIX}SECRET_FILE": str(secret)})
    assert (settings.appid, settings.secret, settings.id_token_audience) == ("wx1", "a secret", "商城")


def test_an_empty_variable_hides_no_file(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("from the file")
    assert load(SECRET="", SECRET_FILE=str(secret)).secret == "from the file"


def test_a_variable_that_hides_a_file_is_told_of(tmp_path, caplog):
    assert load(SECRET="given", SECRET_FILE=str(tmp_path / "nowhere")).secret == "given"
    assert "SECRET_FILE are both set" in caplog.text
    assert "given" not in caplog.text


@pytest.mark.parametrize(("appid", "says"), [("gh_1234567890ab", "begins with wx"), ("wx 51a7", "no spaces")])
def test_what_cannot_be_an_appid_is_refused(appid, says):
    with pytest.raises(SettingsError, match=says):
        load(APPID=appid, SECRET="s").all_accounts()
    with pytest.raises(SettingsError, match=says):
        load(ACCOUNTS=json.dumps([{"appid": appid, "secret": "s"}])).all_accounts()


def test_a_settings_file_that_cannot_be_read_is_named(tmp_path, toml):
    with pytest.raises(SettingsError, match=r"missing\.toml cannot be read: No such file"):
        load_settings(tmp_path / "missing.toml", {})
    with pytest.raises(SettingsError, match=r"settings\.toml is not TOML: .*line 2"):
        load_settings(toml(f'appid = "wx1"\nsecret = {SECRET_WORD}'), {})
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"appid = \xff")
    with pytest.raises(SettingsError, match=r"binary\.toml is not TOML"):
        load_settings(binary, {})


def test_accounts_are_a_json_list_whose_first_is_the_default():
    accounts = load(ACCOUNTS='[{"appid": "wx1", "secret": "a"}, {"appid": "wx2", "secret": "b", "name": "店"}]')
    assert accounts.all_accounts() == (Account("wx1", "a"), Account("wx2", "b", "店"))


def test_accounts_of_another_form_are_refused_without_being_quoted(subtests):
    for text in [
        json.dumps({"appid": "wx1", "secret": SECRET_WORD}),
        json.dumps([{"appid": "wx1"}]),
        json.dumps([{"appid": "wx1", "secret": SECRET_WORD, "key": 1}]),
        json.dumps([{"appid": "wx1", "secret": [SECRET_WORD]}]),
        json.dumps([{"appid": 1, "secret": SECRET_WORD}]),
        json.dumps([{"appid": "wx1", "secret": SECRET_WORD, "name": None}]),
        json.dumps([{"appid": "", "secret": SECRET_WORD}]),
        json.dumps([{"appid": "wx1", "secret": ""}]),
        json.dumps([{"appid": "wx1", "secret": SECRET_WORD}, {"appid": "wx1", "secret": "b"}]),
        json.dumps([SECRET_WORD]),
        f'[{{"appid": "wx1", "secret": "{SECRET_WORD}"',
        "[" * 100_000,
        "7",
    ]:
        with subtests.test(text=text):
            with pytest.raises(SettingsError, match=r"ACCOUNTS must be a (JSON )?list") as caught:
                load(ACCOUNTS=text)
            assert SECRET_WORD not in str(caught.value)


def test_one_account_comes_from_appid_and_secret():
    assert load(APPID="wx1", SECRET="s").all_accounts() == (Account("wx1", "s"),)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "no account is configured"),
        ({"APPID": "wx1"}, f"set {PREFIX}APPID and {PREFIX}SECRET"),
        ({"SECRET": SECRET_WORD}, f"set {PREFIX}APPID and {PREFIX}SECRET"),
        ({"ACCOUNTS": '[{"appid":"wx1","secret":"s"}]', "SECRET": SECRET_WORD}, "not both"),
    ],
)
def test_missing_and_contradicting_accounts_are_refused(values, says):
    with pytest.raises(SettingsError, match=says) as caught:
        load(**values).all_accounts()
    assert SECRET_WORD not in str(caught.value)


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


def test_the_text_of_an_error_never_shows_a_secret(tmp_path):
    cut = {name: value[:-1] for name, value in SECRETS.items()}
    storages = [f"redis://:{SECRET_WORD}@h", f"async+redis://:{SECRET_WORD}@h:port", f"async+nats://:{SECRET_WORD}@h"]
    for storage in storages:
        with pytest.raises(SettingsError) as caught:
            load(**{**cut, "RATE_LIMIT_STORAGE": storage, "LISTEN": "nowhere"})
        assert "hunter2" not in str(caught.value)
        assert "RATE_LIMIT_STORAGE" in str(caught.value)


@pytest.mark.parametrize("text", ["127.0.0.1:8888", "[::1]:8888", "localhost:0"])
def test_an_address_is_written_as_it_is_read(text):
    assert str(parse_address(text)) == text


def test_nothing_is_read_but_what_is_named(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: pytest.fail("a file was read"))
    monkeypatch.setenv(f"{PREFIX}APPID", "from the process")
    assert load().appid == ""
    assert load_settings().appid == "from the process"


@pytest.mark.attack(
    "keys, tokens and users",
    "whoever reads the logs",
    "a setting that cannot be read, with a secret in it, or a secret in the wrong setting",
    "the message names the setting and repeats nothing of its value",
)
def test_no_setting_repeats_what_it_cannot_read(subtests, toml):
    forms = [
        SECRET_WORD,
        f"https://user:{SECRET_WORD}@example.com",
        f"https://{SECRET_WORD}@example.com/",
        f"async+redis://:{SECRET_WORD}@tail@redis:port",
        f"async+redis://:123/{SECRET_WORD}@redis:6379",
        f"postgresql://user:{SECRET_WORD}#@db:port/x",
        f'[{{"appid": "wx1", "secret": "{SECRET_WORD}", "appid2": 1}}]',
        f"127.0.0.1:{SECRET_WORD}",
        f"{SECRET_WORD}\0",
    ]
    for row in ROWS:
        name = row.name.upper()
        for form in forms:
            sources = {
                "variable": (None, {PREFIX + name: form}),
                "file": (None, {f"{PREFIX}{name}_FILE": form}),
                "TOML": (toml(f"{row.name} = {json.dumps(form)}", f"{row.name}.toml"), {}),
                "what is not TOML": (toml(f"{row.name} = {form}"), {}),
            }
            for source, arguments in sources.items():
                with subtests.test(row=row.name, form=form, source=source):
                    assert SECRET_WORD not in complaint_about(*arguments)


def complaint_about(config, environment):
    """Return what is said of settings that cannot be read; nothing for others."""
    try:
        load_settings(config, environment)
    except SettingsError as error:
        return str(error)
    return ""


def test_an_address_that_is_shown_holds_no_user_name(subtests):
    for name in ("PUBLIC_URL", "ADMIN_URL", "WECHAT_API_URL", "WECHAT_AUTHORIZE_URL"):
        with subtests.test(name=name), pytest.raises(SettingsError, match="without user name"):
            load(**{name: "https://user@example.com"})


def test_an_unescaped_password_of_the_counters_is_named(subtests):
    for url in ("async+redis://:1/x@redis:6379", "async+redis://:a@b@redis:6379", "async+redis://:1#x@redis:6379"):
        with subtests.test(url=url), pytest.raises(SettingsError, match="as it is: write %"):
            load(RATE_LIMIT_STORAGE=url)
