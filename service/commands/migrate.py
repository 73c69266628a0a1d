"""`wechat-openid migrate`: brings the tables to what this version expects."""

import sys
from pathlib import Path

import click

from service.settings import Settings, SettingsError, load_settings
from storage.base.schema_report import SchemaState
from storage.registry import load_store
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade, write_upgrade
from storage.sql.core.revisions import schema_report

__all__ = ["migrate"]


@click.command
@click.option("--sql", is_flag=True, help="Print the statements for somebody else to run; connect to nothing.")
@click.option("--since", metavar="REVISION", help="With --sql: the revision to begin with.  [default: no tables]")
@click.pass_obj
def migrate(config: Path | None, sql: bool, since: str | None) -> None:
    """Bring the tables of DATABASE_URL, and a token store elsewhere, to what this version expects.

    Run it before this version serves. Of several that are run at once, one migrates and the others wait.
    """
    if since and not sql:
        raise click.UsageError("--since goes with --sql")
    settings = load_settings(config)
    try:
        if sql:
            write_upgrade(settings.database_url, sys.stdout, since)
        else:
            _migrate(settings.database_url)
            _migrate_token_store(settings)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _migrate(url: str) -> None:
    database = Database.open(url)
    try:
        before = database.read(schema_report)
        if before.state is SchemaState.AHEAD:
            click.echo(f"The tables are at {before.current}, ahead of this version's {before.expected}.")
            return
        upgrade(database.engine, click.echo)
        after = database.read(schema_report)
    finally:
        database.close()
    click.echo(f"The tables are as this version expects them ({after.current}).")


def _migrate_token_store(settings: Settings) -> None:
    """Migrate what authorizations are kept in, where that is not DATABASE_URL."""
    store = load_store(settings.token_store).open(settings.token_store_url or settings.database_url)
    try:
        store.migrate(click.echo)
    finally:
        store.close()
