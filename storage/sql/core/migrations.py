"""Running the migrations that ship with the code."""

import random
import time
from collections.abc import Callable
from typing import TextIO

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine

from storage.base.errors import StorageError
from storage.sql.core.dialects.base import PATIENT, MigrationWaits
from storage.sql.core.engine import Database, read_url
from storage.sql.core.revisions import migrations_folder

__all__ = ["upgrade", "write_upgrade"]

#: How often a migration is tried that another process's may have disturbed, and the longest pause between, in seconds.
ATTEMPTS = 20
PAUSE_SECONDS = 1.0


def upgrade(engine: Engine, progress: Callable[[str], None] = lambda _: None, waits: MigrationWaits = PATIENT) -> None:
    """Bring a database to the head. Of several processes that do so at once, one does it and the others wait.

    Args:
        engine: The database.
        progress: Called after each migration with its revision and its title.
        waits: How long to wait for other processes.

    Raises:
        StorageError: The database does not answer, or is at a revision that this code does not know.
    """
    database = Database(engine)
    attempts = ATTEMPTS if database.read(database.dialect.has_locks_of_nodes) else 1
    for attempt in range(1, attempts + 1):
        try:
            _upgrade(database, progress, waits)
        except StorageError:
            # Where no lock keeps them apart, two that migrate take steps from under each other. Each step can be run
            # again (see `resumable`), so both come to the end.
            if attempt == attempts:
                raise
            time.sleep(random.uniform(0, PAUSE_SECONDS))  # noqa: S311 - no secret
        else:
            return


def _upgrade(database: Database, progress: Callable[[str], None], waits: MigrationWaits) -> None:
    config = _config()
    config.attributes["progress"] = progress
    with database.changing_schema(waits) as connection:
        config.attributes["connection"] = connection
        _run(lambda: command.upgrade(config, "head"))


def write_upgrade(url: str, output: TextIO, since: str | None = None) -> None:
    """Write the statements of an upgrade to the head out, for others to run.

    Args:
        url: A URL of the kind of database that they are for. It is not connected to.
        output: Where they are written.
        since: The revision from which to upgrade; None begins with no tables.

    Raises:
        ValueError: The URL is not one of a supported database.
        StorageError: There is no such revision.
    """
    config = _config()
    address = read_url(url).render_as_string(hide_password=False)
    config.set_main_option("sqlalchemy.url", address.replace("%", "%%"))
    config.output_buffer = output
    _run(lambda: command.upgrade(config, f"{since}:head" if since else "head", sql=True))


def _run(migrate: Callable[[], None]) -> None:
    try:
        migrate()
    except CommandError as error:
        raise StorageError(f"The migrations cannot be run: {error}.") from None


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
