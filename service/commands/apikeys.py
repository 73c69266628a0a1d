"""`wechat-openid apikeys`: keys by which other backends ask for live tokens."""

from datetime import UTC, datetime

import click

from service.runtime.bootstrap import open_database
from service.settings import load_settings
from storage.base.clock import SystemClock
from storage.sql.accounts.api_keys import ApiKeys

__all__ = ["apikeys"]


@click.group
@click.pass_context
def apikeys(context: click.Context) -> None:
    """Manage the keys by which other backends ask for live tokens."""
    database = open_database(load_settings(context.obj))
    context.call_on_close(database.close)
    context.obj = ApiKeys(database)


@apikeys.command
@click.argument("name")
@click.pass_obj
def add(api_keys: ApiKeys, name: str) -> None:
    """Make a key for the backend NAME and print it: it is shown this once, only its hash is stored."""
    click.echo(api_keys.add(name, SystemClock().now()))


@apikeys.command("list")
@click.pass_obj
def list_(api_keys: ApiKeys) -> None:
    """List the keys, without the keys themselves."""
    for key in api_keys.list():
        state = f"revoked {_date(key.revoked_at)}" if key.revoked_at else f"last used {_date(key.last_used_at)}"
        click.echo(f"{key.name:24} made {_date(key.created_at)}, {state}")


@apikeys.command
@click.argument("name")
@click.pass_obj
def revoke(api_keys: ApiKeys, name: str) -> None:
    """Refuse the key of the backend NAME from now on."""
    if not api_keys.revoke(name, SystemClock().now()):
        raise click.ClickException(f"there is no key of the name {name!r} in force")
    click.echo(f"The key of {name} is revoked.")


def _date(at: int | None) -> str:
    return "never" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
