"""`wechat-openid --version`: the versions that a bug report should begin with."""

import platform
import re
import sqlite3
from importlib import metadata

import click

__all__ = ["print_versions"]

DISTRIBUTION = "wechat-openid"


def _requirements() -> list[str]:
    """Return "name version" of each declared dependency that is installed, those of the extras included."""
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in metadata.requires(DISTRIBUTION) or []]
    found = []
    for name in sorted(set(names), key=str.lower):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return found


def _curl() -> list[str]:
    try:
        from service.wechat.transports.curl import curl_version  # noqa: PLC0415 - pycurl may not be installed
    except ImportError:
        return []
    return [curl_version()]


def print_versions(context: click.Context) -> None:
    """Print the versions of the service, Python, and the libraries it runs on, and exit."""
    click.echo(f"{DISTRIBUTION} {metadata.version(DISTRIBUTION)}")
    click.echo(f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}")
    for line in [*_requirements(), f"SQLite {sqlite3.sqlite_version}", *_curl()]:
        click.echo(f"  {line}")
    context.exit()
