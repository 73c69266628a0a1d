"""The processes of the service that are alive, as far as they say so every few seconds."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, insert, select, update

from storage.pauses import AccountPause
from storage.sql.core.engine import Database
from storage.sql.core.schema import instances

__all__ = ["HEARTBEAT_SECONDS", "Instance", "Instances"]

#: How often a process says that it is alive, in seconds.
HEARTBEAT_SECONDS = 15
#: A process that has been silent for so long is taken for gone.
SILENCE_SECONDS = 4 * HEARTBEAT_SECONDS

_ROW = instances.c


@dataclass(frozen=True, slots=True)
class Instance:
    """One process of the service."""

    name: str
    version: str
    started_at: int
    seen_at: int
    pauses: tuple[AccountPause, ...] = ()


class Instances:
    """Keeps what processes say of themselves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def heartbeat(self, instance: Instance) -> None:
        """Note that a process is alive, and forget those that have long been silent."""
        values = {
            "version": instance.version,
            "started_at": instance.started_at,
            "seen_at": instance.seen_at,
            "pauses": json.dumps([asdict(pause) for pause in instance.pauses]),
        }

        def work(connection: Connection) -> None:
            noted = update(instances).where(_ROW.name == instance.name).values(values)
            if connection.execute(noted).rowcount == 0:
                connection.execute(delete(instances).where(_ROW.seen_at < instance.seen_at - SILENCE_SECONDS))
                connection.execute(insert(instances).values(name=instance.name, **values))

        self._database.write(work)

    def deregister(self, name: str) -> None:
        """Note that a process has ended in order."""
        self._database.write(lambda connection: connection.execute(delete(instances).where(_ROW.name == name)))

    def live(self, at: int) -> Sequence[Instance]:
        """Return the processes that were heard of lately, by name."""
        wanted = select(instances).where(_ROW.seen_at >= at - SILENCE_SECONDS).order_by(_ROW.name)
        return [
            Instance(
                name=row.name,
                version=row.version,
                started_at=row.started_at,
                seen_at=row.seen_at,
                pauses=tuple(AccountPause(**pause) for pause in json.loads(row.pauses)),
            )
            for row in self._database.read(lambda connection: connection.execute(wanted).all())
        ]
