"""`wechat-openid doctor`: is everything as it should be, and what to do if not."""

import sys
from pathlib import Path

import click

from service.account_check import Verdict
from service.doctor import examine
from service.event_loop import run
from service.settings import Settings, load_settings

__all__ = ["doctor"]

_COLOURS = {Verdict.GOOD: "green", Verdict.WARNING: "yellow", Verdict.BAD: "red"}


@click.command
@click.pass_obj
def doctor(config: Path | None) -> None:
    """Check settings, keys, database and each account at WeChat. The exit status is 1 if anything is bad."""
    sys.exit(run(_examine(load_settings(config))))


async def _examine(settings: Settings) -> int:
    bad = False
    async for finding in examine(settings):
        verdict = click.style(f"{finding.verdict:8}", fg=_COLOURS[finding.verdict])
        click.echo(f"{verdict} {finding.subject}: {finding.text}")
        bad = bad or finding.verdict is Verdict.BAD
    return int(bad)
