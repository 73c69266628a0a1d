"""`Connection`: a Redis server, the keys under one prefix, and the scripts that change them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.exceptions import MasterDownError, OutOfMemoryError, ReadOnlyError
    from redis.retry import Retry
except ImportError:
    raise ImportError('redis-py is missing: pip install "wechat-openid[redis]"') from None

from storage.base.errors import StorageError, StoreUnavailable
from storage.redis.fields import Argument

__all__ = ["Connection"]

DEFAULT_PREFIX = "wechat-openid:"
HOW_TO_NAME_IT = (
    "TOKEN_STORE_URL must be redis://HOST:6379/0, rediss://… with TLS, or unix:///PATH; ?prefix= is optional"
)
#: How long a connection or an answer may take, in seconds.
TIMEOUT_SECONDS = 5
#: How replies begin that ask to come back later.
PASSING_ERRORS = ("BUSY", "MISCONF", "NOREPLICAS", "OOM", "UNKILLABLE")

SCRIPTS = ("save", "claim", "claim_due", "settle", "touch", "save_profile", "revoke", "erase", "reseal")


class Connection:
    """A server and a prefix of keys. Safe to share between threads.

    Args:
        client: The connections, answers not decoded.
        prefix: How the names of all keys begin.
        place: How errors name the server.
    """

    def __init__(self, client: redis.Redis, prefix: str, place: str) -> None:
        # Any: redis-py annotates its answers for its synchronous and its asynchronous client at once.
        self.client: Any = client
        self.prefix = prefix
        self._place = place
        self._scripts = {name: client.register_script(source) for name, source in _sources()}

    @classmethod
    def open(cls, url: str) -> Self:
        """Make one from a URL of redis-py's, with a `prefix` of the keys' names if wanted.

        Raises:
            ValueError: It is no such URL. The text never holds it.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"redis", "rediss", "unix"}:
            raise ValueError(HOW_TO_NAME_IT)
        options = parse_qsl(parts.query)
        prefix = dict(options).get("prefix", DEFAULT_PREFIX)
        others = urlencode([option for option in options if option[0] != "prefix"])
        try:
            client = redis.Redis.from_url(
                urlunsplit(parts._replace(query=others)),
                socket_timeout=TIMEOUT_SECONDS,
                socket_connect_timeout=TIMEOUT_SECONDS,
                # A call whose answer was lost may have been done. Whether it may be repeated is for the caller to say.
                retry=Retry(NoBackoff(), 0),
            )
            place = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
        except (ValueError, TypeError):
            # Without the cause: it may quote the password.
            raise ValueError(HOW_TO_NAME_IT) from None
        return cls(client, prefix, place)

    def key(self, *words: str) -> str:
        """Return the name of a key."""
        return self.prefix + ":".join(words)

    def run(self, script: str, arguments: Iterable[Argument]) -> Any:
        """Run a script and return its answer."""
        with self.translating_errors():
            return self._scripts[script](keys=[self.prefix], args=list(arguments), client=self.client)

    @contextmanager
    def translating_errors(self) -> Iterator[None]:
        """Turn redis-py's errors into storage's own, without their texts."""
        try:
            yield
        except (redis.ConnectionError, redis.TimeoutError, MasterDownError, OutOfMemoryError, ReadOnlyError) as error:
            raise StoreUnavailable(f"Redis at {self._place} does not answer: {type(error).__name__}") from None
        except redis.RedisError as error:
            word = str(error).partition(" ")[0]
            if word in PASSING_ERRORS:
                raise StoreUnavailable(f"Redis at {self._place} is not ready: {word}") from None
            raise StorageError(f"Redis at {self._place} refused a command: {type(error).__name__}") from None

    def appids(self) -> list[str]:
        """Return the accounts that ever had a user here."""
        return [appid.decode() for appid in self.client.smembers(self.key("appids"))]

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


def _sources() -> Iterator[tuple[str, str]]:
    """Give each script by name, what all have in common before it."""
    folder = files("storage.redis") / "scripts"
    common = (folder / "row.lua").read_text(encoding="utf-8")
    for name in SCRIPTS:
        yield name, common + (folder / f"{name}.lua").read_text(encoding="utf-8")
