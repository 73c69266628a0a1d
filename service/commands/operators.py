"""`wechat-openid operators`: who may sign in to the dashboard. The first owner is made here."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from service.runtime.bootstrap import open_database
from service.settings import load_settings
from storage.base.clock import SystemClock
from storage.base.password_rules import PasswordRules
from storage.base.passwords import PasswordHashes, generate_password
from storage.sql.accounts.attempts import SignInAttempts
from storage.sql.accounts.audit import COMMAND_LINE, AuditAction, AuditLog, AuditResult, NewAuditEntry
from storage.sql.accounts.factors.operator_factors import remove_factors
from storage.sql.accounts.operators import Operators, Role
from storage.sql.accounts.sessions import OperatorSessions
from storage.sql.core.engine import Database

__all__ = ["operators"]


@dataclass(frozen=True, slots=True)
class _Stores:
    operators: Operators
    sessions: OperatorSessions
    audit: AuditLog
    attempts: SignInAttempts
    database: Database


@click.group
@click.pass_context
def operators(context: click.Context) -> None:
    """Manage who may sign in to the dashboard."""
    database = open_database(load_settings(context.obj))
    context.call_on_close(database.close)
    context.obj = _Stores(
        Operators(database),
        OperatorSessions(database),
        AuditLog(database),
        SignInAttempts(database),
        database,
    )


_generate = click.option("--generate", is_flag=True, help="Make a password and print it: it is shown this once.")
_from_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@operators.command
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.OWNER.value,
    show_default=True,
    help="The role.",
)
@_generate
@_from_stdin
@click.pass_obj
def add(stores: _Stores, name: str, role: str, generate: bool, password_stdin: bool) -> None:
    """Add the operator NAME. The password is asked for, unless an option says where it comes from."""
    password = _password(name, generate=generate, from_stdin=password_stdin)
    entry = _entry(AuditAction.OPERATOR_ADD, name)
    stores.operators.add(name, PasswordHashes().hash(password), Role(role), SystemClock().now(), entry=entry)
    _tell(f"{name} can sign in as {role}.", password if generate else None)


@operators.command
@click.argument("name")
@_generate
@_from_stdin
@click.pass_obj
def passwd(stores: _Stores, name: str, generate: bool, password_stdin: bool) -> None:
    """Give the operator NAME another password, and end their sessions."""
    found = stores.operators.find(name)
    if found is None:
        raise click.ClickException(f"there is no operator named {name!r}")
    password = _password(name, generate=generate, from_stdin=password_stdin)
    entry = _entry(AuditAction.OPERATOR_PASSWORD, name)
    stores.operators.set_password(name, PasswordHashes().hash(password), SystemClock().now(), entry=entry)
    stores.sessions.end_all(found[0].id)
    _tell(f"The password of {name} is changed.", password if generate else None)


@operators.command("list")
@click.pass_obj
def list_(stores: _Stores) -> None:
    """List the operators."""
    for operator in stores.operators.list():
        state = "" if operator.disabled_at is None else ", disabled"
        click.echo(f"{operator.name:24} {operator.role:8} last signed in {_date(operator.last_signed_in_at)}{state}")


@operators.command
@click.pass_obj
def unlock(stores: _Stores) -> None:
    """Forget all attempts to sign in, so that nobody has to wait for the quarter of an hour to end."""
    stores.attempts.forget_all()
    stores.audit.record(_entry(AuditAction.SIGN_IN_UNLOCK, ""))
    click.echo("Nobody has to wait to sign in.")


@operators.command("remove-factors")
@click.argument("name")
@click.pass_obj
def remove_factors_of(stores: _Stores, name: str) -> None:
    """Take the second factors of the operator NAME away, who has lost them, and end their sessions."""
    found = stores.operators.find(name)
    if found is None:
        raise click.ClickException(f"there is no operator named {name!r}")
    remove_factors(stores.database, found[0].id, _entry(AuditAction.OPERATOR_FACTORS, name))
    stores.sessions.end_all(found[0].id)
    click.echo(f"{name} signs in by the password alone.")


@operators.command
@click.argument("name")
@click.pass_obj
def disable(stores: _Stores, name: str) -> None:
    """Keep the operator NAME out from now on."""
    found = stores.operators.find(name)
    if found is None:
        raise click.ClickException(f"there is no operator named {name!r}")
    stores.operators.disable(name, SystemClock().now(), entry=_entry(AuditAction.OPERATOR_DISABLE, name))
    stores.sessions.end_all(found[0].id)
    click.echo(f"{name} can no longer sign in.")


def _entry(action: AuditAction, name: str) -> NewAuditEntry:
    """Return what the audit log is to say of something that was done to an operator."""
    return NewAuditEntry(
        at=SystemClock().now(), operator=COMMAND_LINE, action=action, result=AuditResult.SUCCESS, subject=name
    )


def _password(name: str, *, generate: bool, from_stdin: bool) -> str:
    """Return the password that the operator NAME is to have.

    Raises:
        InvalidRecord: It is too easy to guess; the text says why.
    """
    if generate and from_stdin:
        raise click.UsageError("choose one of --generate and --password-stdin")
    if generate:
        return generate_password()
    password: str
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    PasswordRules().require_good(password, name)
    return password


def _tell(text: str, generated: str | None) -> None:
    """Say what was done on standard error, so that standard output holds the password alone."""
    click.echo(text, err=True)
    if generated is not None:
        click.echo(generated)


def _date(at: int | None) -> str:
    return "never" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
