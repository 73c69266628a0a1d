"""What a first start makes where it runs, and nothing else does: the key file, and the tables of a new SQLite file."""

import logging

from service.runtime.bootstrap import DEFAULT_KEY_FILE
from service.settings import Settings, SettingsError
from storage.base.schema_report import SchemaState
from storage.sealing import create_key_file
from storage.sql.core.addresses import sqlite_file
from storage.sql.core.engine import Database
from storage.sql.core.revisions import schema_report

__all__ = ["make_what_is_missing"]

_logger = logging.getLogger(__name__)


def make_what_is_missing(settings: Settings) -> None:
    """Make keys and tables where there are none yet, and log where both are, by absolute paths.

    Whoever starts in the wrong folder sees it there: a warning of new keys, and paths that are not the service's.

    Raises:
        SettingsError: There is no account, or DATABASE_URL cannot be used. Nothing was made then.
        StorageError: The database does not answer.
    """
    settings.all_accounts()
    try:
        database = Database.open(settings.database_url)
        file = sqlite_file(settings.database_url)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    try:
        if file is not None:
            _make_tables(database)
        _logger.info("the database is %s", file or database.place)
    finally:
        database.close()
    if not settings.secret_keys:
        _make_keys()


def _make_tables(database: Database) -> None:
    if database.read(schema_report).state is not SchemaState.EMPTY:
        return
    from storage.sql.core.migrations import upgrade  # noqa: PLC0415 - only a new file needs Alembic, and its 8 MB

    upgrade(database.engine)
    _logger.info("made the tables of a new database (%s)", database.read(schema_report).current)


def _make_keys() -> None:
    path = DEFAULT_KEY_FILE.absolute()
    if create_key_file(path):
        _logger.warning("made new keys; without a copy of them, kept apart from the database, tokens can be lost")
    _logger.info("the keys are in %s", path)
