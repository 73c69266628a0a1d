"""How durable a Redis server is, by its settings."""

from collections.abc import Sequence
from typing import Any

import redis

from storage.base.errors import StorageError
from storage.base.risks import StoreRisk

__all__ = ["risks_of"]

_POLICY, _APPENDS, _FLUSHES = "maxmemory-policy", "appendonly", "appendfsync"
_SETTINGS = (_POLICY, _APPENDS, _FLUSHES)


def risks_of(client: Any, key: str, *, may_evict: bool) -> Sequence[StoreRisk]:
    """Return what a server may lose.

    Args:
        client: redis-py's client of it, answers not decoded.
        key: Any of the store's keys, by which the right one of several servers is asked.
        may_evict: Whether the server is meant to drop users.

    Raises:
        StorageError: It drops users when its memory is full, and is not meant to.
    """
    settings = _settings_of(client, key)
    policy = settings.get(_POLICY)
    if policy is not None and policy.startswith("allkeys") and not may_evict:
        raise StorageError(
            f"Redis drops users by itself when its memory is full (maxmemory-policy {policy}): set noeviction, or add "
            "evicting=allowed to the options of TOKEN_STORE_URL."
        )
    risks = []
    if settings.get(_APPENDS) == "no":
        risks.append(StoreRisk.CRASH_LOSES_MUCH)
    elif settings.get(_FLUSHES, "always") != "always":
        risks.append(StoreRisk.CRASH_LOSES_LAST)
    if policy is not None and policy != "noeviction":
        risks.append(StoreRisk.DROPS_USERS if policy.startswith("allkeys") else StoreRisk.DROPS_EXPIRING)
    if settings.keys() < set(_SETTINGS):
        risks.append(StoreRisk.UNKNOWN)
    return risks


def _settings_of(client: Any, key: str) -> dict[str, str]:
    """Return the settings as far as they may be read: by CONFIG, or by INFO, which few managed servers forbid."""
    # The node that has the store's slot; a cluster's client asks any.
    one = {"target_nodes": client.get_node_from_key(key)} if hasattr(client, "get_node_from_key") else {}
    found: dict[str, str] = {}
    try:
        memory, persistence = client.info("memory", **one), client.info("persistence", **one)
        found[_POLICY] = str(memory["maxmemory_policy"])
        found[_APPENDS] = "yes" if persistence["aof_enabled"] else "no"
    except (redis.ResponseError, KeyError):
        pass
    for name in _SETTINGS:
        try:
            found.update((_text(word), _text(value)) for word, value in client.config_get(name, **one).items())
        except redis.ResponseError:
            break
    return found


def _text(word: bytes | str) -> str:
    return word.decode() if isinstance(word, bytes) else word
