"""Which product answers: several speak the protocol of MySQL or PostgreSQL, and behave otherwise here and there."""

import re
from dataclasses import dataclass

__all__ = ["Product", "product_of"]

#: Words of versions, the more particular first: TiDB says that it is a MySQL, YugabyteDB that it is a PostgreSQL.
_VERSIONS = (
    ("TiDB", re.compile(r"TiDB-(?:v?([\d.]+)|\w+)")),
    ("CockroachDB", re.compile(r"CockroachDB \w+ v([\d.]+)")),
    ("YugabyteDB", re.compile(r"-YB-([\d.]+\d)")),
    # Some proxies before MariaDB say 5.5.5-10.11.6-MariaDB, for the sake of old clients.
    ("MariaDB", re.compile(r"(?:^5\.5\.5-)?(\d+[\d.]*)-MariaDB")),
    ("PostgreSQL", re.compile(r"^PostgreSQL ([\d.]+)")),
    ("SQLite", re.compile(r"^SQLite ([\d.]+)")),
    ("MySQL", re.compile(r"^([\d.]+)")),
)
_TRIED = frozenset({"MariaDB", "PostgreSQL", "SQLite", "MySQL"})


@dataclass(frozen=True, slots=True)
class Product:
    """A database as it calls itself.

    Args:
        name: Its name.
        version: Its version, without what follows the numbers; empty where it says none.
    """

    name: str
    version: str

    @property
    def is_tried(self) -> bool:
        """Whether the service was ever tried on it, or is only thought to work."""
        return self.name in _TRIED

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()


def product_of(version: str) -> Product:
    """Read what a server says of its version."""
    for name, words in _VERSIONS:
        found = words.search(version)
        if found is not None:
            return Product(name, (found[1] or "").rstrip("."))
    return Product("an unknown database", "")
