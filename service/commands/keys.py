"""`wechat-openid keys`: the keys that seal tokens."""

import click

from storage.sealing import generate_key

__all__ = ["keys"]


@click.group
def keys() -> None:
    """Make keys for the setting SECRET_KEYS."""


@keys.command
def generate() -> None:
    """Print a new key. It goes first in SECRET_KEYS; the older ones stay behind it and open what they sealed."""
    click.echo(generate_key())
