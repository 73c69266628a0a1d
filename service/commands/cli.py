"""The command `wechat-openid`: what its subcommands share. Each of them is a module of `service.commands`."""

import difflib
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from service.settings import SettingsError
from storage.base.errors import StorageError

__all__ = ["main"]


#: Each subcommand and its module in `service.commands`, in the order of the help.
_COMMANDS = {
    "serve": "serve",
    "worker": "serve",
    "demo": "demo",
    "simulator": "simulator",
    "refresh": "refresh",
    "doctor": "doctor",
    "migrate": "migrate",
    "keys": "keys",
    "restored": "restored",
    "operators": "operators",
    "apikeys": "apikeys",
    "account-token": "account_token",
    "stores": "stores",
}


class _Commands(click.Group):
    """Loads the subcommand that is asked for, and no other: a server needs neither the simulator nor Alembic.

    Says what was wrong in a sentence instead of a traceback, where a person can mend it.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click calls it so
        """Return the names of all subcommands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a subcommand; None where there is none of this name."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(
            import_module(f"service.commands.{_COMMANDS[cmd_name]}"), cmd_name.replace("-", "_")
        )
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the subcommand that is asked for; where there is none of the name, say which is most like it."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            likely = difflib.get_close_matches(args[0], set(_COMMANDS) - {"worker"}, n=1)
            if not likely:
                raise
            raise click.UsageError(f"{error.message.rstrip('.')}; did you mean {likely[0]}?", ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except (SettingsError, StorageError, OSError) as error:
            raise click.ClickException(str(error)) from None


def _print_versions(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:  # click asks at every start
        import_module("service.commands.version").print_versions(context)


@click.group(cls=_Commands)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A TOML file of settings; variables of the environment (WECHAT_OPENID_…) go before it.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_versions,
    help="Show the versions of the service, of Python and of the libraries it runs on, and exit.",
)
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """WeChat Official Account authorization: code to openid, tokens stored sealed and kept fresh."""
    context.obj = config
