"""Accounts' own credentials in Redis: a hash for each, and the set of their names."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from storage.credentials.contract import CredentialStore
from storage.credentials.records import Credential, CredentialKind, CredentialLease, CredentialOutcome
from storage.redis.connection import Connection
from storage.redis.fields import from_answer, to_arguments

__all__ = ["RedisCredentials"]

_TEXTS = frozenset({"appid", "last_error_kind"})


class RedisCredentials(CredentialStore):
    """Keeps them beside the users. Leases are timed by the server's clock, to the millisecond."""

    def __init__(self, connection: Connection) -> None:
        self._credentials_redis = connection

    def credentials(self, appid: str | None = None) -> list[Credential]:
        """See `CredentialStore.credentials`."""
        redis = self._credentials_redis
        with redis.translating_errors():
            names = [name.decode() for name in redis.client.smembers(redis.key("credentials"))]
            pipeline = redis.pipeline()
            for name in sorted(names):
                if appid in (None, name.rpartition("|")[0]):
                    pipeline.hgetall(redis.key("credential", name))
            return [_read(row) for row in pipeline.execute()]

    def claim_credential(self, appid: str, kind: CredentialKind, owner: str, ttl: int) -> CredentialLease | None:
        """See `CredentialStore.claim_credential`."""
        first = Credential(appid, kind)
        new = to_arguments({one.name: getattr(first, one.name) for one in fields(first)} | {"kind": kind.value})
        row = self._credentials_redis.run("claim_credential", [_name(first), owner, ttl, *new])
        return CredentialLease(_read(from_answer(row)), owner) if row else None

    def settle_credential(self, outcome: CredentialOutcome) -> bool:
        """See `CredentialStore.settle_credential`."""
        held = outcome.lease.credential
        cleared = [name for name, value in outcome.changes.items() if value is None]
        arguments = [
            _name(held),
            held.version,
            outcome.lease.owner,
            int(outcome.ends_lease),
            *to_arguments(outcome.changes),
            len(cleared),
            *cleared,
        ]
        return bool(self._credentials_redis.run("settle_credential", arguments))

    def touch_credential(self, appid: str, kind: CredentialKind, used_at: int) -> None:
        """See `CredentialStore.touch_credential`."""
        self._credentials_redis.run("touch_credential", [_name(Credential(appid, kind)), used_at])

    def reseal_credential(self, read: Credential, sealed: bytes) -> bool:
        """See `CredentialStore.reseal_credential`."""
        return bool(self._credentials_redis.run("reseal_credential", [_name(read), read.sealed, sealed]))


def _name(credential: Credential) -> str:
    return f"{credential.appid}|{credential.kind.value}"


def _read(row: Mapping[bytes, bytes]) -> Credential:
    known = {one.name: row.get(one.name.encode()) for one in fields(Credential)}
    return Credential(**{name: _value(name, value) for name, value in known.items()})


def _value(name: str, written: bytes | None) -> Any:
    if written is None or name == "sealed":
        return written
    if name == "kind":
        return CredentialKind(written.decode())
    return written.decode() if name in _TEXTS else int(written)
