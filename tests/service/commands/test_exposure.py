from dataclasses import replace

import pytest

from service.commands.exposure import examine_exposure
from service.settings import load_settings
from service.wechat.account_check import CheckStatus


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "var"
    folder.mkdir(mode=0o700)
    for name in ("wechat-openid.db", "wechat-openid.db-wal", "secret-keys"):
        (folder / name).touch(mode=0o600)
    return tmp_path


@pytest.fixture
def settings():
    return load_settings(environment={})


def found(settings, config=None):
    return {result.subject: result for result in examine_exposure(settings, config)}


def test_a_fresh_start_is_good(here, settings):
    results = found(settings)
    assert results["files"].status is CheckStatus.GOOD
    assert results["encryption"].status is CheckStatus.GOOD


def test_what_others_can_read_is_named_with_the_command(here, settings, subtests):
    for name, mode, closed, status in [
        ("var", 0o755, 0o700, CheckStatus.BAD),
        ("var/wechat-openid.db", 0o644, 0o600, CheckStatus.BAD),
        ("var/wechat-openid.db-wal", 0o604, 0o600, CheckStatus.BAD),
        ("var/secret-keys", 0o640, 0o600, CheckStatus.WARNING),
    ]:
        with subtests.test(name=name):
            (here / name).chmod(mode)
            result = found(settings)["files"]
            assert result.status is status
            assert f"chmod {closed:o} {name}" in result.text
            (here / name).chmod(closed)


def test_a_settings_file_is_looked_at_if_it_holds_a_secret(here, settings):
    config = here / "settings.toml"
    config.write_text('appid = "wx1"\n')
    config.chmod(0o644)
    assert found(settings, config)["files"].status is CheckStatus.GOOD
    config.write_text('appid = "wx1"\nsecret = "hunter2hunter2"\n')
    result = found(settings, config)["files"]
    assert (result.status, f"chmod 600 {config}" in result.text) == (CheckStatus.BAD, True)
    assert "hunter2" not in result.text


def test_a_file_that_a_secret_comes_from_is_looked_at(here, settings, monkeypatch):
    (here / "secret").touch(mode=0o644)
    monkeypatch.setenv("WECHAT_OPENID_SECRET_FILE", str(here / "secret"))
    assert found(settings)["files"].status is CheckStatus.BAD


def test_secrets_that_cross_the_network_in_clear_are_bad(here, settings, subtests):
    for name, url, status in [
        ("wechat_api_url", "http://api.example.com", CheckStatus.BAD),
        ("wechat_api_url", "http://10.0.0.7:9000", CheckStatus.BAD),
        ("wechat_api_url", "http://127.0.0.1:9000", CheckStatus.GOOD),
        ("wechat_api_url", "http://[::1]:9000", CheckStatus.GOOD),
        ("wechat_authorize_url", "http://open.example.com/x", CheckStatus.WARNING),
        ("rate_limit_storage", "async+redis://:hunter2@redis.internal:6379", CheckStatus.WARNING),
        ("rate_limit_storage", "async+rediss://:hunter2@redis.internal:6379", CheckStatus.GOOD),
        ("token_store_url", "redis://:hunter2@redis.internal:6379/0", CheckStatus.WARNING),
        ("token_store_url", "redis://:hunter2@[bad", CheckStatus.GOOD),
    ]:
        with subtests.test(name=name, url=url):
            result = found(replace(settings, **{name: url}))["encryption"]
            assert result.status is status
            assert "hunter2" not in result.text
