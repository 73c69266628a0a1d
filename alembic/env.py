"""What Alembic runs to reach the database: by its command, and by `storage.sql.core.migrations` in a process."""

from logging.config import fileConfig
from typing import Any

from alembic import context
from sqlalchemy import Connection

import storage.sql.core.online_indexes  # registers the operations that make indexes online
import storage.sql.core.resumable  # noqa: F401 - has steps on MySQL and MariaDB look first
from storage.sql.core.engine import Database
from storage.sql.core.schema import metadata
from storage.sql.core.table_options import with_options


def database_url() -> str:
    """Return the URL given by `-x url=`, or by the configuration, or the service's DATABASE_URL setting."""
    given = context.get_x_argument(as_dictionary=True).get("url") or context.config.get_main_option("sqlalchemy.url")
    if given:
        return given
    # The service's settings stand above storage; nothing but this command needs them here.
    from service.settings import load_settings  # noqa: PLC0415

    return load_settings().database_url


def configure(**target: Any) -> None:
    """Tell Alembic where to work, and how to compare and change tables there.

    Each migration is a transaction of its own, so that one can leave it (see `storage.sql.core.online_indexes`) and
    those before a failure stay done.
    """
    context.configure(
        target_metadata=with_options(metadata),
        compare_type=True,
        render_as_batch=True,
        transaction_per_migration=True,
        on_version_apply=tell_progress,
        **target,
    )


def tell_progress(*, step: Any, **_: Any) -> None:
    """Tell whoever migrates in a process which migration was run."""
    progress = context.config.attributes.get("progress")
    if progress is not None and step.is_upgrade:
        progress(f"{step.up_revision_id} {step.up_revision.doc.rstrip('.')}")


def migrate(connection: Connection) -> None:
    """Run what was asked for on a connection that nobody else migrates by."""
    configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


def migrate_offline() -> None:
    """Write the statements out instead of running them (`--sql`)."""
    configure(url=database_url(), literal_binds=True, dialect_opts={"paramstyle": "named"})
    with context.begin_transaction():
        context.run_migrations()


def migrate_online() -> None:
    """Run on the connection handed over, or on one of our own."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        migrate(connection)
        return
    database = Database.open(database_url())
    try:
        with database.changing_schema() as own:
            migrate(own)
    finally:
        database.close()


if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
if context.is_offline_mode():
    migrate_offline()
else:
    migrate_online()
