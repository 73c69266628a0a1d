"""`wechat-openid stores`: which token stores are installed."""

from collections.abc import Sequence

import click

from storage.base.errors import RegistryError
from storage.registry import InstalledStore, installed_stores

__all__ = ["stores"]

HEAD = ("NAME", "DISTRIBUTION", "VERSION", "API", "CAPABILITIES")


@click.command
def stores() -> None:
    """List the token stores that are installed, for the setting TOKEN_STORE."""
    rows = [HEAD, *(_row(installed) for installed in installed_stores())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo(_line(row, widths))


def _row(installed: InstalledStore) -> tuple[str, ...]:
    try:
        store = installed.load()
    except RegistryError as error:
        version, capabilities = "-", f"cannot be used: {error}"
    else:
        version = ".".join(map(str, store.api_version))
        capabilities = ", ".join(sorted(store.capabilities)) or "none"
    return installed.name, installed.distribution, installed.version, version, capabilities


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
