"""`wechat-openid stores`: which token stores are installed."""

import click

from storage.errors import RegistryError
from storage.registry import installed_stores

__all__ = ["stores"]


@click.command
def stores() -> None:
    """List the token stores that are installed, for the setting TOKEN_STORE."""
    for installed in installed_stores():
        click.echo(f"{installed.name:12} {installed.distribution} {installed.version}")
        try:
            store = installed.load()
        except RegistryError as error:
            click.echo(f"{'':12} cannot be used: {error}")
            continue
        version = ".".join(str(number) for number in store.api_version)
        click.echo(f"{'':12} contract {version}; can do: {', '.join(sorted(store.capabilities)) or 'the minimum'}")
