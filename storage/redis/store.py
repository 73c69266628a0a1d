"""`RedisTokenStore`: authorizations in Redis, as hashes and sorted sets that scripts keep in step.

**Redis is as durable as it is set up to be.** What `save` returned survives a crash of the server only with
`appendonly yes` and `appendfsync always`; and with any `maxmemory-policy` but `noeviction` it drops users by itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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

from storage.activity import Activity, added_up, hour_of, of_grants, of_outcomes
from storage.base.errors import InvalidRecord, StorageError, StoreUnavailable
from storage.base.schema_report import SchemaReport, SchemaState
from storage.grants import Grant, RedeemedCode, Resealing, SealedRow, SealedTokens
from storage.leases import Lease, Outcome
from storage.redis.fields import (
    USER_FIELDS,
    Argument,
    authorization,
    counted_in,
    flat,
    grant_values,
    paired,
    settlement,
    user_name,
    user_values,
    what,
)
from storage.store import TokenStore
from storage.users import Authorization, AuthorizedUser, Counts, Profile, SortKey, Status, Use, UserPage, UserQuery
from storage.validation import require_storable

__all__ = ["RedisTokenStore"]

DEFAULT_PREFIX = "wechat-openid:"
HOW_TO_NAME_IT = (
    "TOKEN_STORE_URL must be redis://HOST:6379/0, rediss://… with TLS, or unix:///PATH; ?prefix= is optional"
)
#: How long a connection or an answer may take, in seconds.
TIMEOUT_SECONDS = 5
#: The largest number that Lua and the scores of sorted sets hold exactly.
LARGEST = 2**53
#: How the data are laid out. `save.lua` writes it down; another number is another layout.
LAYOUT = 1
#: How replies begin that ask to come back later.
PASSING_ERRORS = ("BUSY", "MISCONF", "NOREPLICAS", "OOM", "UNKILLABLE")

SCRIPTS = ("save", "claim", "claim_due", "settle", "touch", "save_profile", "revoke", "erase", "reseal")


class RedisTokenStore(TokenStore):
    """Keeps authorizations in one Redis server (7 or newer, or what speaks its language); not in a Redis Cluster.

    Every change is a script, so it happens whole or not at all. Leases are timed by the server's clock, to the
    millisecond. An appid must not contain `|`; WeChat's never do.

    Args:
        client: The connections, answers not decoded.
        prefix: What the names of all keys begin with.
        place: The server's name for messages.
    """

    def __init__(self, client: redis.Redis, prefix: str, place: str) -> None:
        # Any: redis-py annotates its answers for its synchronous and its asynchronous client at once.
        self._client: Any = client
        self._prefix = prefix
        self._place = place
        self._scripts = {name: client.register_script(source) for name, source in _sources()}

    @classmethod
    def open(cls, url: str) -> Self:
        """See `TokenStore.open`; the URL is one of redis-py's, with a `prefix` of the keys' names if wanted."""
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

    def save(self, grants: Sequence[Grant]) -> None:
        """See `TokenStore.save`; what survives a crash of the server is up to the server."""
        require_storable(grants, LARGEST)
        if any(grant.authorized_at < 0 for grant in grants):
            raise InvalidRecord("authorized_at is out of range.")
        if not grants:
            return
        counted = of_grants(grants)
        arguments: list[Argument] = [len(grants)]
        for grant in grants:
            arguments += flat(grant_values(grant))
        arguments.append(len(counted))
        for one in counted:
            arguments += (one.hour, what(one), one.count)
        self._run("save", arguments)

    def get(self, appid: str, openid: str) -> Authorization | None:
        """See `TokenStore.get`."""
        with self._asking():
            found = self._client.hgetall(self._key("user", user_name(appid, openid)))
        return authorization(found) if found else None

    def find_by_code(self, digest: bytes, since: int) -> RedeemedCode | None:
        """See `TokenStore.find_by_code`."""
        with self._asking():
            user = self._client.get(self._key("code").encode() + b":" + digest)
            row = self._client.hgetall(self._key("user", user.decode())) if user else {}
        if row.get(b"code_digest") != digest or int(row[b"authorized_at"]) < since:
            return None
        found = authorization(row)
        return RedeemedCode(
            appid=found.appid,
            openid=found.openid,
            scope=row[b"code_scope"].decode(),
            is_snapshotuser=found.is_snapshotuser,
            unionid=found.unionid,
            binding=row.get(b"code_binding"),
            authorized_at=found.authorized_at,
        )

    def claim(self, appid: str, openid: str, owner: str, ttl: int) -> Lease | None:
        """See `TokenStore.claim`."""
        row = self._run("claim", [user_name(appid, openid), owner, ttl])
        return Lease(authorization(paired(row)), owner) if row else None

    def claim_due(self, appid: str, owner: str, limit: int, ttl: int, due_at: int) -> list[Lease]:
        """See `TokenStore.claim_due`."""
        rows = self._run("claim_due", [appid, owner, limit, ttl, due_at])
        return [Lease(authorization(paired(row)), owner) for row in rows]

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """See `TokenStore.settle`."""
        require_storable(outcomes, LARGEST)
        if not outcomes:
            return []
        arguments: list[Argument] = [len(outcomes)]
        for outcome in outcomes:
            held = outcome.lease.authorization
            kind, values = settlement(outcome)
            arguments += (kind, user_name(held.appid, held.openid), held.id, held.version, outcome.lease.owner)
            counted = of_outcomes([outcome])
            arguments += (counted[0].hour, what(counted[0])) if counted else ("", "")
            arguments += flat(values)
        return [bool(done) for done in self._run("settle", arguments)]

    def touch(self, uses: Sequence[Use]) -> None:
        """See `TokenStore.touch`."""
        if not uses:
            return
        arguments: list[Argument] = [len(uses)]
        for use in uses:
            next_refresh_at = "" if use.next_refresh_at is None else use.next_refresh_at
            arguments += (user_name(use.appid, use.openid), use.used_at, next_refresh_at)
        self._run("touch", arguments)

    def save_profile(self, profile: Profile) -> bool:
        """See `TokenStore.save_profile`."""
        require_storable([profile], LARGEST)
        values = {name: getattr(profile, name) for name in ("nickname", "avatar_url", "profile_at", "unionid")}
        return bool(self._run("save_profile", [user_name(profile.appid, profile.openid), *flat(values)]))

    def page(self, query: UserQuery) -> UserPage:
        """See `TokenStore.page`."""
        if query.openid is not None or query.unionid is not None:
            return self._page_of_few(query)
        with self._asking():
            places = [_Place.parse(member, query.sort) for member in self._members(query)]
            users = self._users([place.user for place in places[: query.limit]])
        return UserPage(tuple(users), places[query.limit - 1].cursor if len(places) > query.limit else None)

    def counts(self) -> Counts:
        """See `TokenStore.counts`."""
        with self._asking():
            places = [(appid, status) for appid in self._appids() for status in Status]
            pipeline = self._client.pipeline()
            for appid, status in places:
                pipeline.zcard(self._key("by_id", appid, status))
            counted = zip(places, pipeline.execute(), strict=True)
        return Counts({place: count for place, count in counted if count})

    def activity(self, since: int) -> list[Activity]:
        """See `TokenStore.activity`."""
        with self._asking():
            hours = [
                int(hour) for hour in self._client.zrange(self._key("hours"), hour_of(since), "+inf", byscore=True)
            ]
            pipeline = self._client.pipeline()
            for hour in hours:
                pipeline.hgetall(self._key("activity", str(hour)))
            found = zip(hours, pipeline.execute(), strict=True)
        return [one for hour, counts in found for one in counted_in(hour, counts)]

    def record(self, activities: Sequence[Activity]) -> None:
        """See `TokenStore.record`."""
        with self._asking():
            pipeline = self._client.pipeline()
            for one in added_up(activities):
                pipeline.zadd(self._key("hours"), {str(one.hour): one.hour})
                pipeline.hincrby(self._key("activity", str(one.hour)), what(one), one.count)
            pipeline.execute()

    def revoke(self, appid: str, openid: str) -> bool:
        """See `TokenStore.revoke`."""
        return bool(self._run("revoke", [user_name(appid, openid)]))

    def erase(self, appid: str, openid: str) -> bool:
        """See `TokenStore.erase`."""
        return bool(self._run("erase", [user_name(appid, openid)]))

    def sealed_page(self, after: int, limit: int) -> list[SealedRow]:
        """See `TokenStore.sealed_page`."""
        query = UserQuery(descending=False, after=(after, after), limit=limit)
        with self._asking():
            members = self._members(query, (Status.ACTIVE, Status.NEEDS_REAUTHORIZATION))[:limit]
            pipeline = self._client.pipeline()
            for member in members:
                user = _Place.parse(member, SortKey.ID).user
                pipeline.hmget(self._key("user", user), "id", "appid", "openid", "access_token", "refresh_token")
            rows = pipeline.execute()
        found = [
            SealedRow(int(row_id), appid.decode(), openid.decode(), SealedTokens(access_token, refresh_token))
            for row_id, appid, openid, access_token, refresh_token in rows
            if row_id is not None
        ]
        if members and not found:  # all of them were erased between the two looks, and an empty page would be the last
            return self.sealed_page(_Place.parse(members[-1], SortKey.ID).cursor[0], limit)
        return found

    def reseal(self, changes: Sequence[Resealing]) -> list[bool]:
        """See `TokenStore.reseal`."""
        if not changes:
            return []
        arguments: list[Argument] = [len(changes)]
        for change in changes:
            arguments += (user_name(change.row.appid, change.row.openid), change.row.id)
            for tokens in (change.row.tokens, change.tokens):
                arguments += (tokens.access_token, tokens.refresh_token)
        return [bool(done) for done in self._run("reseal", arguments)]

    def check_schema(self) -> SchemaReport:
        """See `TokenStore.check_schema`; an empty server is as good as one with the newest layout."""
        with self._asking():
            found = self._client.get(self._key("layout"))
        layout = LAYOUT if found is None else int(found)
        if layout == LAYOUT:
            state = SchemaState.CURRENT
        else:
            state = SchemaState.BEHIND if layout < LAYOUT else SchemaState.AHEAD
        return SchemaReport(state, str(layout), str(LAYOUT))

    def close(self) -> None:
        """See `TokenStore.close`."""
        self._client.close()

    def _key(self, *words: str) -> str:
        return self._prefix + ":".join(words)

    def _run(self, script: str, arguments: Iterable[Argument]) -> Any:
        with self._asking():
            return self._scripts[script](keys=[self._prefix], args=list(arguments), client=self._client)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Turn redis-py's errors into ours, without their texts."""
        try:
            yield
        except (redis.ConnectionError, redis.TimeoutError, MasterDownError, OutOfMemoryError, ReadOnlyError) as error:
            raise StoreUnavailable(f"Redis at {self._place} does not answer: {type(error).__name__}") from None
        except redis.RedisError as error:
            word = str(error).partition(" ")[0]
            if word in PASSING_ERRORS:
                raise StoreUnavailable(f"Redis at {self._place} is not ready: {word}") from None
            raise StorageError(f"Redis at {self._place} refused a command: {type(error).__name__}") from None

    def _appids(self) -> list[str]:
        return [appid.decode() for appid in self._client.smembers(self._key("appids"))]

    def _members(self, query: UserQuery, statuses: Sequence[Status] = tuple(Status)) -> list[bytes]:
        """Return the places of a page's users, and of one more if there is one, in the query's order.

        They are spread over a sorted set for each account and status; all are read at the same moment.
        """
        appids = self._appids() if query.appid is None else [query.appid]
        pipeline = self._client.pipeline()
        for appid in appids:
            for status in statuses if query.status is None else [query.status]:
                _add_range(pipeline, self._key(f"by_{query.sort}", appid, status), query)
        found = [member for members in pipeline.execute() for member in members]
        return sorted(found, reverse=query.descending)[: query.limit + 1]

    def _page_of_few(self, query: UserQuery) -> UserPage:
        """List the users of one openid or unionid: a handful, so that they are sorted here."""
        with self._asking():
            if query.unionid is not None:
                names = [name.decode() for name in self._client.smembers(self._key("unionid", query.unionid))]
            else:
                names = [user_name(appid, query.openid or "") for appid in self._appids()]
            found = [user for user in self._users(names) if _matches(user, query)]

        def place(user: AuthorizedUser) -> tuple[int, int]:
            return getattr(user, query.sort.value), user.id

        if query.after is not None:
            after = query.after
            found = [user for user in found if (place(user) < after if query.descending else place(user) > after)]
        found.sort(key=place, reverse=query.descending)
        return UserPage(
            tuple(found[: query.limit]), place(found[query.limit - 1]) if len(found) > query.limit else None
        )

    def _users(self, names: Iterable[str]) -> list[AuthorizedUser]:
        """Read users as lists show them, without their tokens; who is gone is left out."""
        pipeline = self._client.pipeline()
        for name in names:
            pipeline.hmget(self._key("user", name), USER_FIELDS)
        found = (dict(zip(USER_FIELDS, values, strict=True)) for values in pipeline.execute())
        return [AuthorizedUser(**user_values(values)) for values in found if values["id"] is not None]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a user stands in a list, as the members of sorted sets say it."""

    cursor: tuple[int, int]
    user: str

    @classmethod
    def parse(cls, member: bytes, sort: SortKey) -> Self:
        first, rest = member.decode().split(":", 1)
        if sort is SortKey.ID:
            return cls((int(first), int(first)), rest)
        row_id, user = rest.split(":", 1)
        return cls((int(first), int(row_id)), user)


def _add_range(pipeline: Any, key: str, query: UserQuery) -> None:
    """Ask for a page's members of a sorted set, and for one more."""
    if query.after is None:
        first, last = "-", "+"
    else:
        numbers = query.after if query.sort is SortKey.AUTHORIZED_AT else query.after[1:]
        after = ":".join(f"{number:016}" for number in numbers)
        # Members go on with a colon; the character after it leaves out all that begin with these numbers.
        first, last = ("-", f"({after}:") if query.descending else (f"({after};", "+")
    if query.descending:
        pipeline.zrevrangebylex(key, last, first, 0, query.limit + 1)
    else:
        pipeline.zrangebylex(key, first, last, 0, query.limit + 1)


def _sources() -> Iterator[tuple[str, str]]:
    """Give each script by name, what all have in common before it."""
    folder = files("storage.redis") / "scripts"
    common = (folder / "row.lua").read_text(encoding="utf-8")
    for name in SCRIPTS:
        yield name, common + (folder / f"{name}.lua").read_text(encoding="utf-8")


def _matches(user: AuthorizedUser, query: UserQuery) -> bool:
    wanted = ((name, getattr(query, name)) for name in ("appid", "status", "openid", "unionid"))
    return all(value is None or getattr(user, name) == value for name, value in wanted)
