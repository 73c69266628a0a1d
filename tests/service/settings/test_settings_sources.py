"""Where settings are read, and which of several places goes first."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from service.settings import PREFIX, SettingsError, load_settings
from service.wechat.protocol import Account
from tests.service.settings.loading import SECRET_WORD, load


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
    config = toml('appid = "from-the-settings-file"\nsecret = "s"\nlog_level = "DEBUG"')
    value_file = tmp_path / "appid"
    value_file.write_text("from-the-value-file\n")
    environment = {f"{PREFIX}APPID_FILE": str(value_file)}
    assert load_settings(config, {}).appid == "from-the-settings-file"
    assert load_settings(config, environment).appid == "from-the-value-file"
    assert load_settings(config, environment | {f"{PREFIX}APPID": "from-the-variable"}).appid == "from-the-variable"
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


def test_a_settings_file_that_cannot_be_read_is_named(tmp_path, toml):
    with pytest.raises(SettingsError, match=r"missing\.toml cannot be read: No such file"):
        load_settings(tmp_path / "missing.toml", {})
    with pytest.raises(SettingsError, match=r"settings\.toml is not TOML: .*line 2"):
        load_settings(toml(f'appid = "wx1"\nsecret = {SECRET_WORD}'), {})
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"appid = \xff")
    with pytest.raises(SettingsError, match=r"binary\.toml is not TOML"):
        load_settings(binary, {})


def test_nothing_is_read_but_what_is_named(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: pytest.fail("a file was read"))
    monkeypatch.setenv(f"{PREFIX}APPID", "from-the-process")
    assert load().appid == ""
    assert load_settings().appid == "from-the-process"
