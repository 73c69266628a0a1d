"""`wechat-openid account-token`: an account's own access token, in an emergency."""

import asyncio
from dataclasses import replace
from pathlib import Path

import click

from service.runtime.bootstrap import open_database, open_service
from service.runtime.event_loop import run
from service.settings import Settings, load_settings
from service.tokens.forced_tokens import ForceRefused
from service.tokens.unavailable import Unavailable
from storage.base.clock import SystemClock
from storage.sql.accounts.audit import COMMAND_LINE, AuditAction, AuditLog, AuditResult, NewAuditEntry

__all__ = ["account_token"]


@click.group("account-token")
def account_token() -> None:
    """End an account's own access token, when it has leaked."""


@account_token.command
@click.argument("appid")
@click.option("--reason", required=True, help="Why; it goes into the audit log.")
@click.pass_obj
def force(config: Path | None, appid: str, reason: str) -> None:
    """Have WeChat end the access token of the account APPID and give another: at most 20 a day, 30 seconds apart.

    Every server that holds the old one is refused from then on. The new one is not printed: backends get it as before.
    """
    if not reason.strip():
        raise click.BadParameter("say why", param_hint="--reason")
    settings = load_settings(config)
    if appid not in {account.appid for account in settings.all_accounts()}:
        raise click.BadParameter("no such account is configured", param_hint="APPID")
    run(_force(settings, appid, reason.strip()))
    click.echo(f"WeChat gave another access token of {appid}; the one before it has ended.")


async def _force(settings: Settings, appid: str, reason: str) -> None:
    """Write it down, then do it; where it fails, another entry says so."""
    entry = NewAuditEntry(
        at=SystemClock().now(),
        operator=COMMAND_LINE,
        action=AuditAction.ACCOUNT_TOKEN_FORCE,
        result=AuditResult.SUCCESS,
        appid=appid,
        details={"comment": reason},
    )
    database = await asyncio.to_thread(open_database, settings)
    try:
        log = AuditLog(database)
        async with open_service(settings) as service:
            await asyncio.to_thread(log.record, entry)
            try:
                await service.credentials.force(appid, COMMAND_LINE)
            except (ForceRefused, Unavailable) as error:
                result = AuditResult.REFUSED if isinstance(error, ForceRefused) else AuditResult.FAILED
                await asyncio.to_thread(log.record, replace(entry, result=result))
                raise click.ClickException(str(error)) from None
    finally:
        database.close()
