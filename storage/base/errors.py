"""The errors of storage.

StorageError
├── StoreUnavailable     the database does not answer now; the same call may succeed later
├── StoreTooSlow         a question would take too long; narrow it
├── UnsupportedSearch    the store cannot filter or sort users so
├── StoreBusy            too many writes wait; refused before anything was done
├── InvalidRecord        the store refuses this record; the same call fails again
├── SchemaNotReady       the tables are missing or behind the code
├── NotKept              the store leaves out what is asked of it; another store is needed
├── NotMadeYet           no database or key file is there; only a first start makes one
├── SealError
│   ├── UnknownKey       sealed with a key that is not in SECRET_KEYS
│   ├── CannotOpen       altered, or moved to another row or column
│   └── InvalidKey       a value in SECRET_KEYS is not a key
└── RegistryError        no such store, two of one name, or one made for another contract
"""

__all__ = [
    "CannotOpen",
    "InvalidKey",
    "InvalidRecord",
    "NotKept",
    "NotMadeYet",
    "RegistryError",
    "SchemaNotReady",
    "SealError",
    "StorageError",
    "StoreBusy",
    "StoreTooSlow",
    "StoreUnavailable",
    "UnknownKey",
    "UnsupportedSearch",
]


class StorageError(Exception):
    """Anything storage refuses or fails to do. Its text never holds a token or a key."""


class StoreUnavailable(StorageError):
    """The store does not answer now. The same call may succeed later; reads and whole-batch writes may be repeated."""


class StoreTooSlow(StorageError):
    """A question was given up because its answer would take too long. Narrow what is asked for."""


class UnsupportedSearch(StorageError):
    """The store cannot filter or sort users in this way. The text names which."""


class StoreBusy(StorageError):
    """Too many writes are waiting. Nothing was done."""


class InvalidRecord(StorageError):
    """The store refuses a record for what it holds. The same call would fail again."""


class SchemaNotReady(StorageError):
    """The tables are missing or older than the code. The text holds the command that mends it."""


class SealError(StorageError):
    """A value cannot be sealed or opened."""


class UnknownKey(SealError):
    """The value was sealed with a key that is not in the ring. The text names the key's id."""


class CannotOpen(SealError):
    """The value was altered, or belongs to another row or column."""


class InvalidKey(SealError):
    """The value given as a key is not one. The text says how to make one."""


class NotKept(StorageError):
    """The store lacks the capability for what is asked of it."""


class NotMadeYet(StorageError):
    """No database or key file is where it is looked for; only a first start makes one."""


class RegistryError(StorageError):
    """A token store cannot be chosen: not installed, ambiguous, or made for another version of the contract."""
