"""`wechat-openid apikeys`: keys by which other backends ask for live tokens."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from service.runtime.bootstrap import open_database
from service.settings import Settings, load_settings
from storage.base.clock import DAY_SECONDS, SystemClock
from storage.sql.accounts.api_keys import ApiKey, ApiKeys, KeyLimits, KeyRight
from storage.sql.accounts.audit import COMMAND_LINE, AuditAction, AuditResult, NewAuditEntry

__all__ = ["apikeys"]


@dataclass(frozen=True, slots=True)
class _Keys:
    settings: Settings
    api_keys: ApiKeys


@click.group
@click.pass_context
def apikeys(context: click.Context) -> None:
    """Manage the keys by which other backends ask for live tokens."""
    settings = load_settings(context.obj)
    database = open_database(settings)
    context.call_on_close(database.close)
    context.obj = _Keys(settings, ApiKeys(database))


@apikeys.command
@click.argument("name")
@click.option("--account", "appids", multiple=True, metavar="APPID", help="Only for this account; may be repeated.")
@click.option(
    "--can",
    "rights",
    multiple=True,
    type=click.Choice([right.value for right in KeyRight]),
    default=[KeyRight.READ_TOKEN.value],
    show_default=True,
    help="What it may do; may be repeated.",
)
@click.option("--expires-in-days", type=click.IntRange(1, 3650), help="When it ends.  [default: never]")
@click.option("--per-minute", type=click.IntRange(1, 1_000_000), help="Requests a minute.  [default: any number]")
@click.pass_obj
def add(
    keys: _Keys,
    name: str,
    *,
    appids: tuple[str, ...],
    rights: tuple[str, ...],
    expires_in_days: int | None,
    per_minute: int | None,
) -> None:
    """Make a key for the backend NAME and print it: it is shown this once, only its hash is stored."""
    unknown = set(appids) - {account.appid for account in keys.settings.all_accounts()} if appids else set()
    if unknown:
        raise click.BadParameter(f"no such account is configured: {', '.join(sorted(unknown))}", param_hint="--account")
    now = SystemClock().now()
    limits = KeyLimits(
        frozenset(appids) or None,
        frozenset(map(KeyRight, rights)),
        None if expires_in_days is None else now + expires_in_days * DAY_SECONDS,
        per_minute,
    )
    entry = _entry(AuditAction.API_KEY_ADD, name, now, limits.described())
    click.echo(keys.api_keys.add(name, now, limits, entry))


@apikeys.command("list")
@click.pass_obj
def list_(keys: _Keys) -> None:
    """List the keys, without the keys themselves."""
    now = SystemClock().now()
    for key in keys.api_keys.list():
        click.echo(f"{key.name:24} made {_date(key.created_at)}, {_state(key, now)}{_limits(key)}")


@apikeys.command
@click.argument("name")
@click.pass_obj
def revoke(keys: _Keys, name: str) -> None:
    """Refuse the key of the backend NAME from now on."""
    now = SystemClock().now()
    if not keys.api_keys.revoke(name, now, _entry(AuditAction.API_KEY_REVOKE, name, now)):
        raise click.ClickException(f"there is no key of the name {name!r} in force")
    click.echo(f"The key of {name} is revoked.")


def _entry(action: AuditAction, name: str, now: int, details: dict[str, Any] | None = None) -> NewAuditEntry:
    return NewAuditEntry(
        at=now, operator=COMMAND_LINE, action=action, result=AuditResult.SUCCESS, subject=name, details=details or {}
    )


def _state(key: ApiKey, now: int) -> str:
    if key.revoked_at:
        return f"revoked {_date(key.revoked_at)}"
    if key.limits.is_over(now):
        return f"expired {_date(key.limits.expires_at)}"
    return f"last used {_date(key.last_used_at)}"


def _limits(key: ApiKey) -> str:
    limits = key.limits
    words = [f"can {' and '.join(sorted(limits.rights))}"]
    if limits.appids is not None:
        words.append(f"for {' and '.join(sorted(limits.appids))}")
    if limits.expires_at is not None:
        words.append(f"until {_date(limits.expires_at)}")
    if limits.per_minute is not None:
        words.append(f"{limits.per_minute} a minute")
    return f"; {', '.join(words)}"


def _date(at: int | None) -> str:
    return "never" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
