"""`wechat-openid restored`: what is to be undone once more after a backup has come back."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import click

from service.observability.logs import configure_logging
from service.runtime.bootstrap import open_service
from service.runtime.event_loop import run
from service.settings import Settings, load_settings
from storage.base.clock import SystemClock
from storage.sql.accounts.audit import COMMAND_LINE, AuditAction, AuditResult, NewAuditEntry

__all__ = ["restored", "users_in"]

#: A line of the log, in text or JSON, or an appid and an openid alone.
_ERASED = re.compile(r"(?:.*\berased user |\s*)(wx\w+) ([\w-]+)(?:\W.*)?\s*", re.DOTALL)


@click.command
@click.option(
    "--erase",
    type=click.File(encoding="utf-8", errors="replace"),
    metavar="FILE",
    help="Erase these users again: lines of the log, or an appid and an openid each; - for standard input.",
)
@click.pass_obj
def restored(config: Path | None, erase: TextIO | None) -> None:
    """Clear up after a backup was restored: end the sessions of operators, and erase users who were erased since.

    Makes sure that the keys fit the backup. The exit status is 1 if a line names no user; nothing was erased then.
    """
    settings = load_settings(config)
    configure_logging(settings.log_format, settings.log_level)
    users, unread = users_in(erase or ())
    if unread:
        click.echo(f"Nothing was done: no user is named in line {', '.join(map(str, unread[:10]))}.", err=True)
        sys.exit(1)
    run(_clear_up(settings, users))


def users_in(lines: Iterable[str]) -> tuple[list[tuple[str, str]], list[int]]:
    """Return the users that lines name, each once, and the numbers of those that name none."""
    users: dict[tuple[str, str], None] = {}
    unread = []
    for number, line in enumerate(lines, 1):
        if match := _ERASED.fullmatch(line):
            users[match[1], match[2]] = None
        elif line.strip():
            unread.append(number)
    return list(users), unread


async def _clear_up(settings: Settings, users: list[tuple[str, str]]) -> None:
    async with open_service(settings) as service:
        ended = service.dashboard.sessions.end_everyones()
        click.echo(f"Sessions of operators that were ended: {ended}")
        erased = 0
        for appid, openid in users:
            was_there = await service.vault.erase(appid, openid)
            erased += was_there
            if was_there:
                service.dashboard.audit.record(_entry(appid, openid))
        if users:
            click.echo(f"Users that were erased: {erased}, and not there: {len(users) - erased}")
        click.echo("What was revoked or disabled since the backup is in force again: look through")
        click.echo("  wechat-openid apikeys list")
        click.echo("  wechat-openid operators list")


def _entry(appid: str, openid: str) -> NewAuditEntry:
    return NewAuditEntry(
        at=SystemClock().now(),
        operator=COMMAND_LINE,
        action=AuditAction.USER_ERASE,
        result=AuditResult.SUCCESS,
        appid=appid,
        openid=openid,
    )
