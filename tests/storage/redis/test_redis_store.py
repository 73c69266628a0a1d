import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing

import pytest
import redis

from storage.activity import ActivityKind
from storage.base.errors import InvalidRecord, StorageError, StoreUnavailable
from storage.base.schema_report import SchemaState
from storage.grants import SealedRow
from storage.redis.store import RedisTokenStore
from storage.testing import TokenStoreContract, a_grant
from storage.testing.samples import at_once
from storage.user_search import SearchField, TextMatch, UserFilter, UserQuery
from storage.users import Status, Use
from tests.servers import none_answers
from tests.waiting import wait_until

APPID = a_grant().appid
NOW = a_grant().authorized_at
SECRET = "s3cret"


class TestOnRedis(TokenStoreContract):
    @pytest.fixture
    def url(self, redis_url):
        return redis_url

    @pytest.fixture
    def store(self, redis_store):
        return redis_store


@pytest.fixture
def store(redis_store):
    return redis_store


@pytest.fixture
def client(store):
    return store._redis.client


def keys_of(store):
    """Return the names of a store's keys, without the prefix."""
    client, prefix = store._redis.client, store._redis.prefix
    return {key.decode(errors="replace").removeprefix(prefix) for key in client.scan_iter(prefix + "*")}


def commands_of(store, call):
    """Return the commands that the server is given, all of them, while something is called."""
    with store._redis.client.monitor() as monitor:
        call()
        store._redis.client.echo("the end")
        seen = []
        while "the end" not in (command := monitor.next_command()["command"]):
            seen.append(command)
    return seen


def test_stores_with_other_prefixes_on_one_server_are_separate(store, redis_url):
    with closing(RedisTokenStore.open(f"{redis_url}other:")) as other:
        store.save([a_grant()])
        assert other.get(APPID, a_grant().openid) is None
        assert other.counts().by_status == {}


def test_an_erased_user_leaves_no_trace(store):
    store.save([a_grant(unionid="u-1", code_digest=b"d" * 32, next_refresh_at=NOW)])
    assert {"user:wx0123456789abcdef|o-user", "unionid:u-1"} <= keys_of(store)
    store.erase(APPID, a_grant().openid)
    assert {key.split(":")[0] for key in keys_of(store)} == {"last_id", "layout", "appids", "hours", "activity"}


def test_a_user_is_listed_under_what_it_is_now(store):
    store.save([a_grant(next_refresh_at=NOW)])
    assert {"due:wx0123456789abcdef", "by_id:wx0123456789abcdef:active"} <= keys_of(store)
    lease = store.claim(APPID, a_grant().openid, "owner", 60)
    assert "leased:wx0123456789abcdef" in keys_of(store)
    assert "due:wx0123456789abcdef" not in keys_of(store)
    store.settle([lease.rejected(error_code=42002, error_kind="reauthorize", at=NOW)])
    listings = {key for key in keys_of(store) if key.startswith(("by_", "due", "leased"))}
    assert listings == {f"by_id:wx0123456789abcdef:{Status.REAUTHORIZATION_REQUIRED}"}


def test_lists_never_read_a_token(store):
    store.save([a_grant(unionid="u-1")])
    for searched in (None, TextMatch(SearchField.OPENID, a_grant().openid), TextMatch(SearchField.UNIONID, "u-1")):
        query = UserQuery(filter=UserFilter(searched=searched))
        commands = commands_of(store, lambda query=query: store.user_search(60).page(query))
        assert any("nickname" in command for command in commands)
        assert not [command for command in commands if "_token" in command or "HGETALL" in command.upper()]


def test_a_batch_is_one_command(store):
    store.save([a_grant()])  # the server knows the script from here on
    commands = commands_of(store, lambda: store.save([a_grant("o-1"), a_grant("o-2")]))
    assert [command.split()[0].upper() for command in commands if not command.startswith("lua")].count("EVALSHA") == 1


def test_a_script_that_the_server_forgot_is_sent_again(store, client):
    store.save([a_grant()])
    client.script_flush()
    store.save([a_grant("o-2")])
    assert store.get(APPID, "o-2") is not None


def test_numbers_that_lua_would_round_are_refused(store):
    for changed in ({"expires_at": 2**53 + 1}, {"authorized_at": -1}):
        with pytest.raises(InvalidRecord, match="out of range"):
            store.save([a_grant(**changed)])
    store.save([a_grant(expires_at=2**53)])
    assert store.get(APPID, a_grant().openid).expires_at == 2**53


def test_tokens_in_pages_are_read_on_when_a_whole_page_was_erased_meanwhile(store, monkeypatch):
    store.save([a_grant(f"o-{number}") for number in range(4)])
    look = store._holders_of_tokens

    def look_and_erase(after, limit):
        holders = look(after, limit)
        monkeypatch.setattr(store, "_holders_of_tokens", look)
        for openid in ("o-0", "o-1"):
            store.erase(APPID, openid)
        return holders

    monkeypatch.setattr(store, "_holders_of_tokens", look_and_erase)
    assert [row.openid for row in store.sealed_page(0, 2) if isinstance(row, SealedRow)] == ["o-2", "o-3"]


def turn_back_to_layout_1(store, openids):
    """Leave active users who must authorize again as the first layout had them."""
    client, key = store._redis.client, store._redis.key
    for openid in openids:
        row_id = store.get(APPID, openid).id
        client.hset(key("user", f"{APPID}|{openid}"), "status", "needs_reauthorization")
        client.zrem(key("by_id", APPID, "active"), f"{row_id:016}:{APPID}|{openid}")
        client.zadd(key("by_id", APPID, "needs_reauthorization"), {f"{row_id:016}:{APPID}|{openid}": 0})
    client.zadd(key("by_authorized_at", APPID, "active"), {"something": 0})
    client.zadd(key("hours"), {str(NOW): NOW})
    client.hset(key("activity", str(NOW)), f"{APPID}|reauthorization_needed|42002", 7)
    client.hset(key("activity", str(NOW)), f"{APPID}|reauthorization_required|42002", 1)
    client.set(key("layout"), 1)


def test_data_of_the_first_layout_are_migrated_whole_by_several_at_once(store, redis_url):
    openids = [f"o-{number}" for number in range(1200)]
    store.save([a_grant(openid) for openid in (*openids, "o-active")])
    turn_back_to_layout_1(store, openids)
    assert store.check_schema().state is SchemaState.BEHIND

    def migrate(_):
        with closing(RedisTokenStore.open(redis_url)) as own:
            own.migrate(lambda _: None)

    at_once(migrate)
    assert store.check_schema().state is SchemaState.CURRENT
    assert store.counts().by_status == {(APPID, Status.ACTIVE): 1, (APPID, Status.REAUTHORIZATION_REQUIRED): 1200}
    assert {store.get(APPID, openid).status for openid in openids} == {Status.REAUTHORIZATION_REQUIRED}
    query = UserQuery(filter=UserFilter(status=Status.REAUTHORIZATION_REQUIRED), limit=2)
    assert [user.openid for user in store.user_search(60).page(query).users] == ["o-1199", "o-1198"]
    counted = {one.kind: one.count for one in store.activity(NOW)}
    assert counted[ActivityKind.REAUTHORIZATION_REQUIRED] == 8
    assert not [key for key in keys_of(store) if "by_authorized_at" in key or "needs_reauthorization" in key]
    # Users who were migrated live on as all do.
    store.save([a_grant("o-0", at=NOW + 60)])
    store.erase(APPID, "o-1")
    assert store.counts().by_status[APPID, Status.REAUTHORIZATION_REQUIRED] == 1198


@pytest.mark.parametrize(("layout", "state"), [("1", SchemaState.BEHIND), ("3", SchemaState.AHEAD)])
def test_data_of_another_layout_are_told(store, client, layout, state):
    assert store.check_schema().state is SchemaState.CURRENT
    store.save([a_grant()])
    assert client.get(f"{store._redis.prefix}layout") == b"2"
    client.set(f"{store._redis.prefix}layout", layout)
    assert store.check_schema().state is state


@pytest.mark.parametrize(
    "url", [f"sqlite:///{SECRET}.db", f"redis://:{SECRET}@host:port/0", f"http://:{SECRET}@host", "", SECRET]
)
def test_a_url_of_something_else_is_refused_without_quoting_it(url):
    with pytest.raises(ValueError, match=r"must be redis://HOST:6379/0") as refusal:
        RedisTokenStore.open(url)
    assert SECRET not in str(refusal.value)
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_without_redis_py_it_says_what_to_install():
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "from storage.base.errors import RegistryError\n"
        "from storage.registry import load_store\n"
        "try: load_store('redis')\n"
        "except RegistryError as error: print(error)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'redis-py is missing: pip install "wechat-openid[redis]"' in ended.stdout


class Server:
    """A Redis server of the test's own, set up as the documentation asks for, that can be killed and started again."""

    def __init__(self, folder):
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"redis://:{SECRET}@127.0.0.1:{self._port}/0"
        self._process = None

    def start(self):
        options = {
            "port": self._port,
            "bind": "127.0.0.1",
            "dir": self._folder,
            "requirepass": SECRET,
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "logfile": self._folder / "log",
        }
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen(["redis-server", *words])
        wait_until(self._answers)

    def _answers(self):
        with redis.Redis.from_url(self.url) as client:
            try:
                return client.ping()
            except redis.ConnectionError:
                return False

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def server(tmp_path):
    if shutil.which("redis-server") is None:
        none_answers("redis-server", FileNotFoundError())
    server = Server(tmp_path)
    server.start()
    yield server
    server.kill()


def test_what_was_saved_survives_the_servers_death_and_calls_meanwhile_say_that_it_is_gone(server):
    with closing(RedisTokenStore.open(server.url)) as store:
        store.save([a_grant(next_refresh_at=NOW)])
        server.kill()
        for call in (
            lambda: store.save([a_grant("o-2")]),
            lambda: store.get(APPID, a_grant().openid),
            lambda: store.touch([Use(APPID, a_grant().openid, NOW, None)]),
            lambda: store.user_search(60).page(UserQuery()),
            store.check_schema,
        ):
            with pytest.raises(StoreUnavailable, match=r"Redis at 127\.0\.0\.1:\d+ does not answer") as failure:
                call()
            assert SECRET not in str(failure.value)
        server.start()
        assert len(store.claim_due(APPID, "owner", 10, 60, NOW)) == 1
        assert store.get(APPID, "o-2") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("maxmemory", "1"), ("min-replicas-to-write", "1"), ("replicaof", "127.0.0.1 1")],
)
def test_a_server_that_takes_no_writes_for_now_is_unavailable(server, name, value):
    with closing(RedisTokenStore.open(server.url)) as store:
        store.save([a_grant()])
        if name == "replicaof":
            store._redis.client.replicaof(*value.split())
        else:
            store._redis.client.config_set(name, value)
        with pytest.raises(StoreUnavailable):
            store.save([a_grant("o-2")])


def test_any_other_refusal_is_an_error_that_does_not_quote_the_record(store, client):
    client.set(f"{store._redis.prefix}user:{APPID}|o-private", "not a hash")
    with pytest.raises(StorageError) as refusal:
        store.get(APPID, "o-private")
    assert type(refusal.value) is StorageError
    assert refusal.value.__suppress_context__
    assert "private" not in str(refusal.value)
