"""Calls through a real proxy: it CONNECTs, sees no URL, and its refusals are told without its password."""

import logging

import pytest

from service.settings import SettingsError, load_settings
from service.wechat.errors import FaultReason
from service.wechat.transports import TransportFault
from tests.proxies import tinyproxy

PASSWORD = "s3cr3t"
AS_IN_A_URL = "s3%63r3t"


@pytest.fixture
def proxy(tmp_path):
    with tinyproxy(tmp_path, f"BasicAuth ada {PASSWORD}") as address:
        yield address


@pytest.fixture
def proxied(open_transport, transport_name, certificate):
    def open_(proxy, **options):
        return open_transport(transport_name, ca_certs=str(certificate.path), proxy=proxy, timeout_seconds=4, **options)

    return open_


async def fault_of(awaitable):
    with pytest.raises(TransportFault) as caught:
        await awaitable
    return caught.value


@pytest.mark.gen_test
async def test_calls_leave_through_the_proxy_which_sees_no_url(start_peer, tls, proxied, proxy, tmp_path):
    peer = await start_peer(ssl_context=tls)
    transport = proxied(f"http://ada:{AS_IN_A_URL}@{proxy}")

    for _ in range(3):
        assert (await transport.get(f"{peer.url}/token?secret=5ec2e7")).body == b"{}"
    await transport.post(f"{peer.url}/sent", b"body", {"Content-Type": "text/plain"}, timeout_seconds=4)

    log = (tmp_path / "tinyproxy.log").read_text()
    assert f"CONNECT {peer.url.removeprefix('https://')} HTTP/1" in log
    assert "token" not in log
    assert "5ec2e7" not in log
    assert peer.connections <= 2  # kept, but what a transport fetches and sends may go by two
    assert not any("proxy" in head.lower() for head in peer.heads)


@pytest.mark.gen_test
async def test_wrong_password_is_told_and_neither_shown_nor_sent_on(start_peer, tls, proxied, proxy, caplog):
    caplog.set_level(logging.DEBUG)
    peer = await start_peer(ssl_context=tls)

    fault = await fault_of(proxied(f"http://ada:wr0ng-one@{proxy}").get(f"{peer.url}/?secret=5ec2e7"))

    assert (fault.reason, fault.reply_started) == (FaultReason.CONNECTION, False)
    assert "user name and password of WECHAT_PROXY (HTTP 40" in str(fault)
    assert (fault.__cause__, fault.__context__) == (None, None)
    assert not peer.heads
    assert not [secret for secret in ("wr0ng-one", "5ec2e7") if secret in caplog.text + str(fault)]


@pytest.mark.gen_test
async def test_proxy_that_may_not_connect_there_is_told(start_peer, tls, proxied, tmp_path):
    peer = await start_peer(ssl_context=tls)
    with tinyproxy(tmp_path, "ConnectPort 1") as proxy:
        fault = await fault_of(proxied(f"http://{proxy}").get(peer.url))
    assert (fault.reason, fault.reply_started) == (FaultReason.CONNECTION, False)
    assert "the proxy refuses to connect (HTTP 403)" in str(fault)


@pytest.mark.gen_test
async def test_proxy_that_does_not_answer_ends_the_call_unsent_in_its_time(start_peer, proxied, misbehaviours, tls):
    silent = await start_peer({"127.0.0.1:1": misbehaviours["hang"]})
    fault = await fault_of(proxied(silent.url).get("https://127.0.0.1:1/"))
    assert (fault.reason, fault.reply_started) == (FaultReason.TIMEOUT, False)
    assert silent.heads[0].startswith("CONNECT ")


@pytest.mark.gen_test
async def test_proxy_that_is_gone_ends_the_call_unsent_and_is_used_again_when_back(start_peer, tls, proxied, tmp_path):
    peer = await start_peer(ssl_context=tls)
    with tinyproxy(tmp_path) as proxy:
        pass
    transport = proxied(f"http://{proxy}")
    fault = await fault_of(transport.get(peer.url))
    assert (fault.reason, fault.reply_started) == (FaultReason.CONNECTION, False)
    assert not peer.connections
    with tinyproxy(tmp_path, port=int(proxy.rpartition(":")[2])):
        assert (await transport.get(peer.url)).status == 200


def test_setting_is_an_address_of_a_proxy_and_hidden():
    url = f"http://ada:{AS_IN_A_URL}@10.0.0.5:3128"
    settings = load_settings(environment={"WECHAT_OPENID_WECHAT_PROXY": f"{url}/"})
    assert settings.wechat_proxy == url
    assert AS_IN_A_URL not in repr(settings)


def test_what_is_no_proxy_is_refused_without_its_password(subtests):
    for text in (
        "ada:s3cr3t@10.0.0.5:3128",
        "http://ada:s3cr3t@10.0.0.5",
        "socks5://ada:s3cr3t@10.0.0.5:1080",
        "http://ada:s3cr3t@10.0.0.5:3128/path",
        "http://ada:s3cr3t@10.0.0.5:0",
        "http://ada:s3cr3t@10.0.0.5:port",
        "http://ada:s3cr3t ö@10.0.0.5:3128",
    ):
        with subtests.test(text), pytest.raises(SettingsError) as caught:
            load_settings(environment={"WECHAT_OPENID_WECHAT_PROXY": text})
        assert "WECHAT_PROXY" in str(caught.value)
        assert "http://10.0.0.5:3128" in str(caught.value)
        assert "s3cr3t" not in str(caught.value)
