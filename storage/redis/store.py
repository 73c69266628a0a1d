"""`RedisTokenStore`: authorizations in Redis, as hashes and sorted sets that scripts keep in step.

**Redis is as durable as it is set up to be.** What `save` returned survives a crash of the server only with
`appendonly yes` and `appendfsync always`; and with any `maxmemory-policy` but `noeviction` it drops users by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from storage.activity import Activity, added_up, hour_of, of_grants, of_outcomes
from storage.base.errors import InvalidRecord
from storage.base.schema_report import SchemaReport, SchemaState
from storage.grants import Grant, RedeemedCode, Resealing, SealedRow, SealedTokens, grant_fields
from storage.leases import Lease, Outcome, outcome_fields
from storage.redis.connection import Connection
from storage.redis.fields import (
    Argument,
    counter_name,
    from_answer,
    read_authorization,
    read_counters,
    to_arguments,
    user_name,
    user_values,
)
from storage.store import TokenStore
from storage.users import (
    USER_FIELDS,
    Authorization,
    AuthorizedUser,
    Counts,
    Profile,
    SortKey,
    Status,
    Use,
    UserPage,
    UserQuery,
)
from storage.validation import require_storable

__all__ = ["RedisTokenStore"]

#: The largest number that Lua and the scores of sorted sets hold exactly.
LARGEST = 2**53
#: How the data are laid out. `save.lua` writes it down; another number is another layout.
LAYOUT = 1


class RedisTokenStore(TokenStore):
    """Keeps authorizations in a Redis server (7 or newer, or what speaks its language), or in one slot of a cluster.

    Every change is a script, so it happens whole or not at all. Leases are timed by the server's clock, to the
    millisecond. An appid must not contain `|`; WeChat's never do.
    """

    def __init__(self, connection: Connection) -> None:
        self._redis = connection

    @classmethod
    def open(cls, url: str) -> Self:
        """See `TokenStore.open`; `storage.redis.targets` tells the forms of the URL."""
        return cls(Connection.open(url))

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
            arguments += to_arguments(grant_fields(grant))
        arguments.append(len(counted))
        for one in counted:
            arguments += (one.hour, counter_name(one), one.count)
        self._redis.run("save", arguments)

    def get(self, appid: str, openid: str) -> Authorization | None:
        """See `TokenStore.get`."""
        with self._redis.translating_errors():
            found = self._redis.client.hgetall(self._redis.key("user", user_name(appid, openid)))
        return read_authorization(found) if found else None

    def find_by_code(self, digest: bytes, since: int) -> RedeemedCode | None:
        """See `TokenStore.find_by_code`."""
        with self._redis.translating_errors():
            user = self._redis.client.get(self._redis.key("code").encode() + b":" + digest)
            row = self._redis.client.hgetall(self._redis.key("user", user.decode())) if user else {}
        if row.get(b"code_digest") != digest or int(row[b"authorized_at"]) < since:
            return None
        found = read_authorization(row)
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
        row = self._redis.run("claim", [user_name(appid, openid), owner, ttl])
        return Lease(read_authorization(from_answer(row)), owner) if row else None

    def claim_due(self, appid: str, owner: str, limit: int, ttl: int, due_at: int) -> list[Lease]:
        """See `TokenStore.claim_due`."""
        rows = self._redis.run("claim_due", [appid, owner, limit, ttl, due_at])
        return [Lease(read_authorization(from_answer(row)), owner) for row in rows]

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """See `TokenStore.settle`."""
        require_storable(outcomes, LARGEST)
        if not outcomes:
            return []
        arguments: list[Argument] = [len(outcomes)]
        for outcome in outcomes:
            held = outcome.lease.authorization
            arguments += (
                type(outcome).__name__,
                user_name(held.appid, held.openid),
                held.id,
                held.version,
                outcome.lease.owner,
            )
            counted = of_outcomes([outcome])
            arguments += (counted[0].hour, counter_name(counted[0])) if counted else ("", "")
            arguments += to_arguments(outcome_fields(outcome))
        return [bool(done) for done in self._redis.run("settle", arguments)]

    def touch(self, uses: Sequence[Use]) -> None:
        """See `TokenStore.touch`."""
        if not uses:
            return
        arguments: list[Argument] = [len(uses)]
        for use in uses:
            next_refresh_at = "" if use.next_refresh_at is None else use.next_refresh_at
            arguments += (user_name(use.appid, use.openid), use.used_at, next_refresh_at)
        self._redis.run("touch", arguments)

    def save_profile(self, profile: Profile) -> bool:
        """See `TokenStore.save_profile`."""
        require_storable([profile], LARGEST)
        values = {name: getattr(profile, name) for name in ("nickname", "avatar_url", "profile_at", "unionid")}
        return bool(self._redis.run("save_profile", [user_name(profile.appid, profile.openid), *to_arguments(values)]))

    def page(self, query: UserQuery) -> UserPage:
        """See `TokenStore.page`."""
        if query.openid is not None or query.unionid is not None:
            return self._page_of_few(query)
        with self._redis.translating_errors():
            places = [_Place.parse(member, query.sort) for member in self._members(query)]
            users = self._users([place.user for place in places[: query.limit]])
        return UserPage(tuple(users), places[query.limit - 1].cursor if len(places) > query.limit else None)

    def counts(self) -> Counts:
        """See `TokenStore.counts`."""
        with self._redis.translating_errors():
            places = [(appid, status) for appid in self._redis.appids() for status in Status]
            pipeline = self._redis.pipeline()
            for appid, status in places:
                pipeline.zcard(self._redis.key("by_id", appid, status))
            counted = zip(places, pipeline.execute(), strict=True)
        return Counts({place: count for place, count in counted if count})

    def activity(self, since: int) -> list[Activity]:
        """See `TokenStore.activity`."""
        with self._redis.translating_errors():
            hours = [
                int(hour)
                for hour in self._redis.client.zrange(self._redis.key("hours"), hour_of(since), "+inf", byscore=True)
            ]
            pipeline = self._redis.pipeline()
            for hour in hours:
                pipeline.hgetall(self._redis.key("activity", str(hour)))
            found = zip(hours, pipeline.execute(), strict=True)
        return [one for hour, counts in found for one in read_counters(hour, counts)]

    def record(self, activities: Sequence[Activity]) -> None:
        """See `TokenStore.record`."""
        with self._redis.translating_errors():
            pipeline = self._redis.pipeline()
            for one in added_up(activities):
                pipeline.zadd(self._redis.key("hours"), {str(one.hour): one.hour})
                pipeline.hincrby(self._redis.key("activity", str(one.hour)), counter_name(one), one.count)
            pipeline.execute()

    def revoke(self, appid: str, openid: str) -> bool:
        """See `TokenStore.revoke`."""
        return bool(self._redis.run("revoke", [user_name(appid, openid)]))

    def erase(self, appid: str, openid: str, *, authorized_before: int | None = None) -> bool:
        """See `TokenStore.erase`."""
        before = "" if authorized_before is None else authorized_before
        return bool(self._redis.run("erase", [user_name(appid, openid), before]))

    def sealed_page(self, after: int, limit: int) -> list[SealedRow]:
        """See `TokenStore.sealed_page`."""
        query = UserQuery(descending=False, after=(after, after), limit=limit)
        with self._redis.translating_errors():
            members = self._members(query, (Status.ACTIVE, Status.NEEDS_REAUTHORIZATION))[:limit]
            pipeline = self._redis.pipeline()
            for member in members:
                user = _Place.parse(member, SortKey.ID).user
                pipeline.hmget(self._redis.key("user", user), "id", "appid", "openid", "access_token", "refresh_token")
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
        return [bool(done) for done in self._redis.run("reseal", arguments)]

    def check_schema(self) -> SchemaReport:
        """See `TokenStore.check_schema`; an empty server is as good as one with the newest layout."""
        self._redis.require_form()
        with self._redis.translating_errors():
            found = self._redis.client.get(self._redis.key("layout"))
        layout = LAYOUT if found is None else int(found)
        if layout == LAYOUT:
            state = SchemaState.CURRENT
        else:
            state = SchemaState.BEHIND if layout < LAYOUT else SchemaState.AHEAD
        return SchemaReport(state, str(layout), str(LAYOUT))

    def close(self) -> None:
        """See `TokenStore.close`."""
        self._redis.close()

    def _members(self, query: UserQuery, statuses: Sequence[Status] = tuple(Status)) -> list[bytes]:
        """Return the places of a page's users, and of one more if there is one, in the query's order.

        They are spread over a sorted set for each account and status; all are read at the same moment.
        """
        appids = self._redis.appids() if query.appid is None else [query.appid]
        pipeline = self._redis.pipeline()
        for appid in appids:
            for status in statuses if query.status is None else [query.status]:
                _add_range(pipeline, self._redis.key(f"by_{query.sort}", appid, status), query)
        found = [member for members in pipeline.execute() for member in members]
        return sorted(found, reverse=query.descending)[: query.limit + 1]

    def _page_of_few(self, query: UserQuery) -> UserPage:
        """List the users of one openid or unionid: a handful, so that they are sorted here."""
        with self._redis.translating_errors():
            if query.unionid is not None:
                names = [
                    name.decode() for name in self._redis.client.smembers(self._redis.key("unionid", query.unionid))
                ]
            else:
                names = [user_name(appid, query.openid or "") for appid in self._redis.appids()]
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
        pipeline = self._redis.pipeline()
        for name in names:
            pipeline.hmget(self._redis.key("user", name), USER_FIELDS)
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


def _matches(user: AuthorizedUser, query: UserQuery) -> bool:
    wanted = ((name, getattr(query, name)) for name in ("appid", "status", "openid", "unionid"))
    return all(value is None or getattr(user, name) == value for name, value in wanted)
