"""`StoreRisk`: how a store, as it is set up, may lose what it has stored."""

from collections.abc import Mapping
from enum import StrEnum

__all__ = ["RISK_SENTENCES", "StoreRisk"]


class StoreRisk(StrEnum):
    """A way of losing authorizations that lies in how the server of a store is set up."""

    CRASH_LOSES_MUCH = "crash_loses_much"  #: what was taken is not written down before it is answered
    CRASH_LOSES_LAST = "crash_loses_last"  #: it is written down, and reaches the disk a little later
    DROPS_USERS = "drops_users"  #: when its memory is full, it drops users, and was told that it may
    DROPS_EXPIRING = "drops_expiring"  #: when its memory is full, it drops what others gave an end
    UNKNOWN = "unknown"  #: its settings could not be read


#: What each means and what to do, for the log and the doctor.
RISK_SENTENCES: Mapping[StoreRisk, str] = {
    StoreRisk.CRASH_LOSES_MUCH: (
        "a crash of its server may lose the last minutes of authorizations; Redis: set appendonly yes and "
        "appendfsync always; PostgreSQL: fsync on"
    ),
    StoreRisk.CRASH_LOSES_LAST: (
        "a crash of its server may lose the authorizations of the last second; Redis: set appendfsync always; "
        "PostgreSQL: synchronous_commit on; MySQL and MariaDB: innodb_flush_log_at_trx_commit 1"
    ),
    StoreRisk.DROPS_USERS: "its server drops users when its memory is full, as evicting=allowed in its URL permits",
    StoreRisk.DROPS_EXPIRING: (
        "its server drops keys that expire when its memory is full; no user does, but maxmemory-policy noeviction "
        "says what is meant"
    ),
    StoreRisk.UNKNOWN: "whether a crash or a full memory loses authorizations could not be checked; ask its provider",
}
