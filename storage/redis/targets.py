"""Where a Redis store keeps its data: one server, the primary that Sentinel names, or a Redis Cluster."""

import re
import socket
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.cluster import ClusterNode, RedisCluster
    from redis.connection import parse_url
    from redis.exceptions import RedisClusterException
    from redis.retry import Retry
    from redis.sentinel import Sentinel
except ImportError:
    raise ImportError('redis-py is missing: pip install "wechat-openid[redis]"') from None

from storage.base.addresses import credentials_and_rest, unescaped_characters
from storage.base.errors import StoreUnavailable

__all__ = ["Target", "target_of"]

DEFAULT_PREFIX = "wechat-openid:"
#: In a Redis Cluster the part in braces decides about the slot: all keys are in one, as a script needs them.
DEFAULT_CLUSTER_PREFIX = "{wechat-openid}:"
HOW_TO_NAME_IT = (
    "TOKEN_STORE_URL must be redis://HOST:6379/0, redis+sentinel://HOST:26379,HOST:26379/SERVICE/0, "
    "redis+cluster://HOST:6379,HOST:6379, any of them as rediss… with TLS, or unix:///PATH; of the options ?prefix=, "
    "wait_replicas=, wait_milliseconds= and evicting= are the store's own"
)
#: How long a connection or an answer may take, in seconds.
TIMEOUT_SECONDS = 5
#: How soon the kernel finds out that nobody is at the other end of a connection: after 5 seconds without a word it
#: asks, and again every 2. Not every system lets these be set.
_KEPT_ALIVE = {
    "socket_keepalive": True,
    "socket_keepalive_options": {
        getattr(socket, name): seconds
        for name, seconds in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)
    },
}
#: How long a Sentinel may take to answer; there are others.
SENTINEL_SECONDS = 2
#: How long a write waits for its replicas where the URL does not say, in milliseconds.
WAIT_MILLISECONDS = 1000
REDIS_PORT, SENTINEL_PORT = 6379, 26379
FORMS = {"redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"}


@dataclass(frozen=True, slots=True)
class Target:
    """What reaches the data, and how it is to be used.

    Args:
        client: redis-py's client, answers not decoded.
        prefix: What the names of all keys begin with.
        place: The servers' names for messages.
        is_cluster: Whether it is a Redis Cluster.
        wait_replicas: How many replicas must have a write before it is answered.
        wait_milliseconds: How long they may take.
        may_evict: Whether the server is meant to drop users when its memory is full.
    """

    client: Any
    prefix: str
    place: str
    is_cluster: bool = False
    wait_replicas: int = 0
    wait_milliseconds: int = WAIT_MILLISECONDS
    may_evict: bool = False


def target_of(url: str) -> Target:
    """Read a URL. A Redis Cluster is asked for its nodes; nothing else is connected yet.

    Raises:
        ValueError: It cannot be read. The text holds nothing of it.
        StoreUnavailable: No node of a Redis Cluster answers.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in FORMS:
        raise ValueError(HOW_TO_NAME_IT)
    about_password = unescaped_characters(url)
    if about_password:
        raise ValueError(f"TOKEN_STORE_URL cannot be read: {about_password}.")
    read: Target | None = None
    with suppress(ValueError, TypeError):  # their texts may quote the password
        read = _target(url, scheme)
    if read is None:
        raise ValueError(HOW_TO_NAME_IT)
    return read


def _target(url: str, scheme: str) -> Target:
    """Read a URL whose form is known.

    Raises:
        ValueError, TypeError: It cannot be read. The text may quote it.
    """
    address, _, query = url.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    transport, _, form = scheme.partition("+")
    may_evict = _is_allowed(options.pop("evicting", "refused"))
    if form == "cluster":
        return replace(_cluster(address, transport, options), may_evict=may_evict)
    prefix = options.pop("prefix", DEFAULT_PREFIX)
    replicas = _number(options.pop("wait_replicas", "0"))
    milliseconds = _number(options.pop("wait_milliseconds", str(WAIT_MILLISECONDS)))
    client, place = _sentinel(address, transport, options) if form else _one_server(address, options)
    return Target(client, prefix, place, wait_replicas=replicas, wait_milliseconds=milliseconds, may_evict=may_evict)


def _one_server(address: str, options: dict[str, str]) -> tuple[Any, str]:
    arguments = _arguments(f"{address}?{urlencode(options)}")
    place = f"{arguments.get('host', 'localhost')}:{arguments.get('port', REDIS_PORT)}"
    return redis.Redis(connection_pool=redis.ConnectionPool(**arguments)), arguments.get("path") or place


def _sentinel(address: str, transport: str, options: dict[str, str]) -> tuple[Any, str]:
    hosts, path = _hosts(address, SENTINEL_PORT)
    service, _, database = path.partition("/")
    if not service:
        raise ValueError("no service")
    # Who asks Sentinels may be another user than who asks the servers.
    words = ("username", "password")
    of_sentinels = {word: options.pop(f"sentinel_{word}") for word in words if f"sentinel_{word}" in options}
    quick = {"socket_timeout": SENTINEL_SECONDS, "socket_connect_timeout": SENTINEL_SECONDS}
    arguments = _shared_arguments(address, transport, database, options)
    asking = {**quick, **of_sentinels, "ssl": arguments["ssl"]}
    sentinel = Sentinel(hosts, sentinel_kwargs=asking, **arguments)  # type: ignore[no-untyped-call] # redis-py's
    primary = sentinel.master_for(service)  # type: ignore[no-untyped-call] # redis-py's
    return primary, f"the Sentinels at {_place(hosts)}"


def _cluster(address: str, transport: str, options: dict[str, str]) -> Target:
    prefix = options.pop("prefix", DEFAULT_CLUSTER_PREFIX)
    hosts, database = _hosts(address, REDIS_PORT)
    # WAIT tells of the writes of its own connection, which a client of a Redis Cluster does not hand out.
    if "wait_replicas" in options or database not in {"", "0"} or not re.search(r"\{[^}]+\}", prefix):
        raise ValueError("what a Redis Cluster has not")
    nodes = [ClusterNode(host, port) for host, port in hosts]  # type: ignore[no-untyped-call] # redis-py's
    arguments = _shared_arguments(address, transport, "", options)
    client: Any = None
    failure = ""
    try:
        client = RedisCluster(startup_nodes=nodes, **arguments)
    except (redis.RedisError, RedisClusterException) as error:
        failure = type(error).__name__
    if failure:
        raise StoreUnavailable(f"Redis at {_place(hosts)} does not answer: {failure}")
    return Target(client, prefix, _place(hosts), is_cluster=True)


def _shared_arguments(address: str, transport: str, database: str, options: dict[str, str]) -> dict[str, Any]:
    """Return what the connections to every server of a group are given."""
    credentials, _ = credentials_and_rest(address)
    before = f"{credentials}@" if credentials else ""
    arguments = _arguments(f"{transport}://{before}host/{database}?{urlencode(options)}")
    named = {name: value for name, value in arguments.items() if name not in {"host", "connection_class"}}
    return {**named, "ssl": transport == "rediss"}


def _hosts(address: str, port: int) -> tuple[list[tuple[str, int]], str]:
    """Return the hosts of a group of servers, and what follows them."""
    _, rest = credentials_and_rest(address)
    names, _, path = rest.partition("/")
    return [_host(one, port) for one in names.split(",")], path


def _place(hosts: list[tuple[str, int]]) -> str:
    return ", ".join(f"{host}:{port}" for host, port in hosts)


def _is_allowed(text: str) -> bool:
    if text not in {"allowed", "refused"}:
        raise ValueError("neither allowed nor refused")
    return text == "allowed"


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError("no whole number")
    return int(text)


def _arguments(url: str) -> dict[str, Any]:
    """Return what redis-py is given for a URL of one server, with what the store asks of every connection.

    Raises:
        ValueError, TypeError: An option is not one of redis-py's, or has no such value.
    """
    arguments = {
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        # A call whose answer was lost may have been done. Whether it may be repeated is for the caller to say.
        "retry": Retry(NoBackoff(), 0),
        **({} if url.startswith("unix:") else _KEPT_ALIVE),
        **parse_url(url),  # type: ignore[no-untyped-call] # redis-py's
    }
    kind = arguments.get("connection_class", redis.Connection)
    # Makes a connection to see that it takes the options; it connects when it is used.
    kind(**{name: value for name, value in arguments.items() if name != "connection_class"})
    return arguments


def _host(text: str, port: int) -> tuple[str, int]:
    """Read `name`, `name:port`, `[address]` or `[address]:port`.

    Raises:
        ValueError: There is no name, or the port is none.
    """
    name, _, given = text.rpartition(":") if ":" in text and not text.endswith("]") else (text, "", "")
    if not name:
        raise ValueError("no host")
    return name.strip("[]"), _number(given) if given else port
