import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.observability.metrics import Metrics
from service.observability.multiprocess import worker_environment
from service.tokens.refresher import Refresh, RefreshResult
from service.wechat.endpoints import Endpoint
from service.wechat.errcodes import Kind
from storage.pauses import AccountPause

APPIDS = ("wx0000000000000001", "wx0000000000000002")


@pytest.fixture
def metrics(monkeypatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    return Metrics(APPIDS)


def samples_of(metrics):
    """Return the value of each sample by its name and the values of its labels."""
    _, text = metrics.expose()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_every_label_that_an_alert_may_ask_for_is_there_before_the_first_event(metrics):
    samples = samples_of(metrics)
    for endpoint in Endpoint:
        for outcome in ("ok", *Kind):
            assert samples["wechat_openid_wechat_calls_total", endpoint, outcome] == 0
        assert samples["wechat_openid_wechat_call_seconds_count", endpoint] == 0
        for appid in APPIDS:
            for kind in (Kind.CONFIGURATION, Kind.RATE_LIMITED):
                assert samples["wechat_openid_account_pauses_total", appid, endpoint, kind] == 0
    for result in RefreshResult:
        assert samples["wechat_openid_refreshes_total", result] == 0
    assert samples[("wechat_openid_store_up",)] == 1


def test_what_happens_is_counted_under_its_labels(metrics):
    before = samples_of(metrics)
    metrics.call(Endpoint.EXCHANGE, "ok", 0.2)
    metrics.call(Endpoint.EXCHANGE, Kind.RETRY, 0.3)
    metrics.refresh(Refresh(RefreshResult.REFRESHED))
    metrics.pause(AccountPause(APPIDS[0], Endpoint.REFRESH, Kind.CONFIGURATION, 40125, until=1))
    metrics.reply("GetCodeHandler", 200)
    metrics.store_up(False)
    after = samples_of(metrics)
    changed = {key: value for key, value in after.items() if before.get(key) != value and "_bucket" not in key[0]}
    assert {key: value for key, value in changed.items() if not key[0].endswith("_created")} == {
        ("wechat_openid_wechat_calls_total", "access_token", "ok"): 1,
        ("wechat_openid_wechat_calls_total", "access_token", "retry"): 1,
        ("wechat_openid_wechat_call_seconds_count", "access_token"): 2,
        ("wechat_openid_wechat_call_seconds_sum", "access_token"): 0.5,
        ("wechat_openid_refreshes_total", "refreshed"): 1,
        ("wechat_openid_account_pauses_total", APPIDS[0], "refresh_token", "configuration"): 1,
        ("wechat_openid_http_replies_total", "GetCodeHandler", "200"): 1,
        ("wechat_openid_store_up",): 0,
    }


def test_two_sets_of_metrics_do_not_mix(metrics):
    other = Metrics()
    other.call(Endpoint.AUTH, "ok", 0.1)
    assert samples_of(metrics)["wechat_openid_wechat_calls_total", "auth", "ok"] == 0


def test_workers_add_up(tmp_path):
    make = "from service.observability.metrics import Metrics; m = Metrics()"
    count = f"{make}; [m.reply('GetCodeHandler', 200) for _ in range(3)]"
    show = f"{count}; print(m.expose()[1].decode())"
    environment = worker_environment(tmp_path)
    run = [sys.executable, "-c"]
    for _ in range(2):
        subprocess.run([*run, count], env=environment, check=True)
    text = subprocess.run([*run, show], env=environment, check=True, capture_output=True, text=True).stdout
    assert 'wechat_openid_http_replies_total{handler="GetCodeHandler",status="200"} 9.0' in text
