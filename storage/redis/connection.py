"""`Connection`: a Redis server, the keys under one prefix, and the scripts that change them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Self

try:
    import redis
    from redis.exceptions import (
        AskError,
        ClusterCrossSlotError,
        ClusterDownError,
        MasterDownError,
        OutOfMemoryError,
        ReadOnlyError,
        RedisClusterException,
    )
except ImportError:
    raise ImportError('redis-py is missing: pip install "wechat-openid[redis]"') from None

from storage.base.errors import StorageError, StoreUnavailable
from storage.base.risks import StoreRisk
from storage.redis.durability import risks_of
from storage.redis.fields import Argument
from storage.redis.targets import Target, target_of

__all__ = ["Connection"]

#: How replies begin that ask to come back later.
PASSING_ERRORS = ("BUSY", "MISCONF", "NOREPLICAS", "OOM", "UNKILLABLE")

#: Errors of a server that is not there, or takes no writes, for now.
UNAVAILABLE = (
    redis.ConnectionError,
    redis.TimeoutError,
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    # No node of a cluster answers; not one of redis-py's other errors.
    RedisClusterException,
)
SCRIPTS = (
    *("save", "claim", "claim_due", "settle", "touch", "save_profile", "set_external_id"),
    *("revoke", "erase", "reseal", "migrate"),
    *("claim_credential", "settle_credential", "touch_credential", "reseal_credential"),
)


class Connection:
    """One or more servers and a prefix of keys. Safe to share between threads."""

    def __init__(self, target: Target) -> None:
        # Any: redis-py annotates its answers for its synchronous and its asynchronous client at once.
        self.client: Any = target.client
        self.prefix = target.prefix
        self._target = target
        self._scripts = {name: self.client.register_script(source) for name, source in _sources()}

    @classmethod
    def open(cls, url: str) -> Self:
        """Make one from a URL of one of the forms of `target_of`, which tells what it raises."""
        return cls(target_of(url))

    def key(self, *words: str) -> str:
        """Return the name of a key."""
        return self.prefix + ":".join(words)

    def pipeline(self) -> Any:
        """Return a list of commands, all of them done at the same moment."""
        return self.client.pipeline(transaction=True)

    def run(self, script: str, arguments: Iterable[Argument]) -> Any:
        """Run a script and return its answer, once as many replicas as the URL asks for have what it wrote.

        Raises:
            StoreUnavailable: Besides other reasons: too few of them had it in time. It is written all the same.
        """
        given = list(arguments)
        with self.translating_errors():
            wanted = self._target.wait_replicas
            if not wanted:
                return self._scripts[script](keys=[self.prefix], args=given, client=self.client)
            # WAIT tells of the writes of its own connection.
            with self.client.client() as own:
                answer = self._scripts[script](keys=[self.prefix], args=given, client=own)
                if own.wait(wanted, self._target.wait_milliseconds) < wanted:
                    raise StoreUnavailable(f"{self._name} has written, but too few replicas have it yet")
                return answer

    def require_form(self) -> None:
        """Make sure that a URL of one server leads to one.

        Raises:
            StorageError: The server is one of a Redis Cluster.
        """
        with self.translating_errors():
            if not self._target.is_cluster and self.client.info("cluster").get("cluster_enabled"):
                raise self._other_form()

    def risks(self) -> Sequence[StoreRisk]:
        """Return what the server may lose; see `risks_of`."""
        with self.translating_errors():
            return risks_of(self.client, self.prefix, may_evict=self._target.may_evict)

    @contextmanager
    def translating_errors(self) -> Iterator[None]:
        """Turn redis-py's errors into storage's own, without their texts."""
        try:
            yield
        except (AskError, ClusterCrossSlotError):
            raise self._other_form() from None
        except UNAVAILABLE as error:
            if isinstance(error, redis.TimeoutError):
                self._close_idle()
            raise StoreUnavailable(f"{self._name} does not answer: {type(error).__name__}") from None
        except redis.RedisError as error:
            word = str(error).partition(" ")[0]
            if word in PASSING_ERRORS:
                raise StoreUnavailable(f"{self._name} is not ready: {word}") from None
            raise StorageError(f"{self._name} refused a command: {type(error).__name__}") from None

    def _close_idle(self) -> None:
        """Close the connections that nobody is using: a server that vanished has left none behind that works."""
        pools = (
            [node.redis_connection for node in self.client.get_nodes()] if self._target.is_cluster else [self.client]
        )
        for client in pools:
            if client is not None:
                client.connection_pool.disconnect(inuse_connections=False)

    @property
    def _name(self) -> str:
        return f"Redis at {self._target.place}"

    def _other_form(self) -> StorageError:
        return StorageError(f"{self._name} is part of a Redis Cluster: TOKEN_STORE_URL must be redis+cluster://…")

    def appids(self) -> list[str]:
        """Return the accounts that ever had a user here."""
        return [appid.decode() for appid in self.client.smembers(self.key("appids"))]

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


def _sources() -> Iterator[tuple[str, str]]:
    """Yield the name and source of each script, the common part first."""
    folder = files("storage.redis") / "scripts"
    common = (folder / "row.lua").read_text(encoding="utf-8")
    for name in SCRIPTS:
        yield name, common + (folder / f"{name}.lua").read_text(encoding="utf-8")
