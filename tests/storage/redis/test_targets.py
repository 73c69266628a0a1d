import pytest

from storage.base.errors import StoreUnavailable
from storage.redis.targets import target_of

SECRET = "s3cret"


def test_forms_of_one_server_and_of_sentinels_are_read(subtests):
    for url, prefix, place in [
        ("redis://host:6380/2", "wechat-openid:", "host:6380"),
        (f"redis://user:{SECRET}@host?prefix=own:", "own:", "host:6379"),
        ("rediss://host/0?ssl_cert_reqs=none", "wechat-openid:", "host:6379"),
        ("unix:///run/redis.sock?db=1", "wechat-openid:", "/run/redis.sock"),
        ("redis+sentinel://h1,h2:26380/wechat", "wechat-openid:", "the Sentinels at h1:26379, h2:26380"),
        (f"rediss+sentinel://:{SECRET}@[::1]:9/wechat/3?prefix=p:", "p:", "the Sentinels at ::1:9"),
    ]:
        with subtests.test(url=url):
            target = target_of(url)
            assert (target.prefix, target.place, target.wait_replicas) == (prefix, place, 0)
            target.client.close()


def test_what_is_said_of_servers_behind_sentinels_reaches_them():
    url = f"redis+sentinel://user:{SECRET}@h1/wechat/3?sentinel_password=other&wait_replicas=2&wait_milliseconds=50"
    target = target_of(url)
    arguments = target.client.connection_pool.connection_kwargs
    assert (arguments["username"], arguments["password"], arguments["db"]) == ("user", SECRET, 3)
    assert (target.wait_replicas, target.wait_milliseconds) == (2, 50)
    target.client.close()


def test_what_cannot_be_read_is_refused_without_quoting_it(subtests):
    for url in [
        f"redis://host/0?{SECRET}=1",
        f"redis://host/0?socket_timeout={SECRET}",
        f"redis://host/0?wait_replicas={SECRET}",
        "redis://host/0?wait_replicas=-1",
        f"redis+sentinel://:{SECRET}@h1,h2",
        f"redis+sentinel://:{SECRET}@h1:port/wechat",
        f"redis+sentinel://:{SECRET}@,/wechat",
        f"redis+cluster://:{SECRET}@h1/1",
        f"redis+cluster://:{SECRET}@h1?prefix=no-braces:",
        f"redis+cluster://:{SECRET}@h1?wait_replicas=1",
        f"redis+other://:{SECRET}@h1",
    ]:
        with subtests.test(url=url), pytest.raises(ValueError, match="TOKEN_STORE_URL must be") as refusal:
            target_of(url)
        assert SECRET not in str(refusal.value)
        assert refusal.value.__context__ is None


def test_a_redis_cluster_none_of_whose_nodes_answers_is_unavailable():
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:9, 127\.0\.0\.1:10 does not answer"):
        target_of(f"redis+cluster://:{SECRET}@127.0.0.1:9,127.0.0.1:10")
