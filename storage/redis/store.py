"""`RedisTokenStore`: authorizations in Redis, as hashes and sorted sets that scripts keep in step.

**Redis is as durable as it is set up to be.** What `save` returned survives a crash of the server only with
`appendonly yes` and `appendfsync always`; and with any `maxmemory-policy` but `noeviction` it drops users by itself.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, Self

from storage.activity import Activity, count_grants, count_outcomes, hour_of, sum_by_hour
from storage.base.errors import InvalidRecord
from storage.base.risks import StoreRisk
from storage.base.schema_report import SchemaReport, SchemaState
from storage.grants import Grant, RedeemedCode, Resealing, SealedRow, grant_fields
from storage.leases import Lease, Outcome, outcome_fields
from storage.redis.connection import Connection
from storage.redis.credentials import RedisCredentials
from storage.redis.fields import (
    SEALED_FIELDS,
    Argument,
    counter_name,
    from_answer,
    read_authorization,
    read_counters,
    read_redeemed_code,
    read_sealed_row,
    to_arguments,
    token_fields,
    user_name,
)
from storage.redis.user_search import RedisUserSearch, names_by_id
from storage.store import Capability, TokenStore
from storage.users import Authorization, Counts, Profile, Status, Use
from storage.validation import require_storable, require_unicode

__all__ = ["RedisTokenStore"]

#: The largest number that Lua and the scores of sorted sets hold exactly.
LARGEST = 2**53
#: How the data are laid out. `save.lua` and `migrate.lua` write it down; another number is another layout.
LAYOUT = 2
#: Users that one call of `migrate.lua` changes: a script blocks all other clients.
MIGRATION_BATCH = 1000


class RedisTokenStore(RedisCredentials, TokenStore):
    """Keeps authorizations in a Redis server, or in one slot of a Redis Cluster.

    Every change is a script, so it happens whole or not at all. Leases are timed by the server's clock, to the
    millisecond. An appid must not contain `|`; WeChat's never do.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._redis = connection

    @classmethod
    def open(cls, url: str) -> Self:
        """See `TokenStore.open`; `storage.redis.targets` tells the forms of the URL."""
        return cls(Connection.open(url))

    def save(self, grants: Sequence[Grant]) -> None:
        """See `TokenStore.save`; what survives a crash of the server is up to the server."""
        self._save(grants, "kept")

    def probe(self, grants: Sequence[Grant]) -> None:
        """See `TokenStore.probe`."""
        self._save(grants, "removed")

    def _save(self, grants: Sequence[Grant], then: str) -> None:
        require_storable(grants, LARGEST)
        if any(grant.authorized_at < 0 for grant in grants):
            raise InvalidRecord("authorized_at is out of range.")
        if not grants:
            return
        counted = count_grants(grants)
        arguments: list[Argument] = [len(grants)]
        for grant in grants:
            arguments += to_arguments(grant_fields(grant))
        arguments.append(len(counted))
        for one in counted:
            arguments += (one.hour, counter_name(one), one.count)
        self._redis.run("save", [*arguments, then])

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
        return read_redeemed_code(row)

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
            counted = count_outcomes([outcome])
            arguments += (counted[0].hour, counter_name(counted[0])) if counted else ("", "")
            counted = count_outcomes([outcome], succeeded={held.id})
            arguments.append(counter_name(counted[0]) if counted else "")
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

    def set_external_id(self, appid: str, openid: str, external_id: str | None) -> bool:
        """See `TokenStore.set_external_id`."""
        require_unicode("external_id", external_id)
        return bool(self._redis.run("set_external_id", [user_name(appid, openid), external_id or ""]))

    def user_search(self, limit_seconds: float) -> RedisUserSearch:  # noqa: ARG002 - no answer takes long
        """See `TokenStore.user_search`."""
        return RedisUserSearch(self._redis)

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
            for one in sum_by_hour(activities):
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
        with self._redis.translating_errors():
            holders = self._holders_of_tokens(after, limit)
            pipeline = self._redis.pipeline()
            for _, name in holders:
                pipeline.hmget(self._redis.key("user", name), SEALED_FIELDS)
            found = [row for values in pipeline.execute() if (row := read_sealed_row(values)) is not None]
        if holders and not found:  # all of them were erased between the two looks; an empty page would be the last
            return self.sealed_page(holders[-1][0], limit)
        return found

    def reseal(self, changes: Sequence[Resealing]) -> list[bool]:
        """See `TokenStore.reseal`."""
        if not changes:
            return []
        arguments: list[Argument] = [len(changes)]
        for change in changes:
            arguments += (user_name(change.row.appid, change.row.openid), change.row.id)
            for tokens, fallback in ((change.row.tokens, change.row.fallback), (change.tokens, change.fallback)):
                arguments += to_arguments(token_fields(tokens, fallback))
        return [bool(done) for done in self._redis.run("reseal", arguments)]

    def migrate(self, progress: Callable[[str], None]) -> None:
        """See `TokenStore.migrate`."""
        if self.check_schema().state is not SchemaState.BEHIND:
            return
        while not self._redis.run("migrate", [MIGRATION_BATCH]):
            pass
        progress(f"Redis: what is stored has layout {LAYOUT} now")

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

    def risks(self) -> Sequence[StoreRisk]:
        """See `TokenStore.risks`."""
        return self._redis.risks()

    def close(self) -> None:
        """See `TokenStore.close`."""
        self._redis.close()

    def _holders_of_tokens(self, after: int, limit: int) -> list[tuple[int, str]]:
        statuses = [status for status in Status if status is not Status.REVOKED]
        return names_by_id(self._redis, self._redis.appids(), statuses, after=after, descending=False, limit=limit)
