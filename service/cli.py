"""The command `wechat-openid`: what its subcommands share. Each of them is a module of `service.commands`."""

from pathlib import Path
from typing import Any

import click

from service.commands.apikeys import apikeys
from service.commands.demo import demo
from service.commands.doctor import doctor
from service.commands.keys import keys
from service.commands.migrate import migrate
from service.commands.operators import operators
from service.commands.refresh import refresh
from service.commands.serve import serve, worker
from service.commands.simulator import simulator
from service.commands.stores import stores
from service.settings import SettingsError
from storage.errors import StorageError

__all__ = ["main"]


class _Commands(click.Group):
    """Says what was wrong in a sentence instead of a traceback, where a person can mend it."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except (SettingsError, StorageError, OSError) as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Commands)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A TOML file of settings; variables of the environment (WECHAT_OPENID_…) go before it.",
)
@click.version_option(package_name="wechat-openid")
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """WeChat Official Account authorization: code to openid, tokens stored sealed and kept fresh."""
    context.obj = config


for _command in (serve, worker, demo, simulator, refresh, doctor, migrate, keys, operators, apikeys, stores):
    main.add_command(_command)
