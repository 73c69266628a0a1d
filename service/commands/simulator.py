"""`wechat-openid simulator`: a stand-in for WeChat on this machine."""

import asyncio
from collections.abc import Sequence

import click

from service.commands.click_types import Parsed
from service.runtime.event_loop import run, stop_on_signals
from service.settings import Address, parse_address
from service.simulator.people import DEFAULT_ACCOUNT, DEFAULT_WEBSITE, LOGIN_SCOPES, Account
from service.simulator.server import RunningSimulator, start_simulator
from service.simulator.wechat import SimulatedWeChat
from storage.base.clock import SystemClock

__all__ = ["simulator"]


@click.command
@click.option(
    "--listen",
    type=Parsed("HOST:PORT", parse_address),
    default="127.0.0.1:8890",
    show_default=True,
    help="Where to listen; port 0 takes a free one. Beyond the loopback, add --no-control.",
)
@click.option(
    "accounts",
    "--account",
    metavar="APPID:SECRET",
    multiple=True,
    help=f"An Official Account; may be repeated.  [default: {DEFAULT_ACCOUNT.appid}:{DEFAULT_ACCOUNT.secret}]",
)
@click.option(
    "websites",
    "--website",
    metavar="APPID:SECRET",
    multiple=True,
    help="A website app (网站应用), whose users scan a QR code; may be repeated.  "
    f"[default: {DEFAULT_WEBSITE.appid}:{DEFAULT_WEBSITE.secret}]",
)
@click.option(
    "domains",
    "--domain",
    metavar="HOST",
    multiple=True,
    help="An authorization domain of the accounts; may be repeated.  [default: any host]",
)
@click.option(
    "hosts",
    "--host",
    metavar="NAME",
    multiple=True,
    help="A name under which it is reached; may be repeated.  [default: localhost and addresses in numbers]",
)
@click.option("--control/--no-control", default=True, show_default=True, help="Serve the control API, /simulator/…")
def simulator(  # noqa: PLR0917 - an argument for each option
    listen: Address,
    accounts: Sequence[str],
    websites: Sequence[str],
    domains: Sequence[str],
    hosts: Sequence[str],
    control: bool,
) -> None:
    """Run a stand-in for WeChat until Ctrl-C, for developing and testing without an account."""
    try:
        wechat = SimulatedWeChat(SystemClock(), accounts=_read_accounts(accounts, websites, domains))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    run(_run(wechat, listen, hosts, control=control))


def _read_accounts(accounts: Sequence[str], websites: Sequence[str], domains: Sequence[str]) -> list[Account]:
    """Return the accounts and website apps asked for, or the default ones, each with all domains."""
    hosts = frozenset(domain.lower() for domain in domains)
    read: list[Account] = []
    for pairs, default in ((accounts, DEFAULT_ACCOUNT), (websites, DEFAULT_WEBSITE)):
        credentials = [pair.split(":", 1) for pair in pairs] or [[default.appid, default.secret]]
        read += [Account(appid, "".join(secret), hosts, default.scopes) for appid, *secret in credentials]
    return read


async def _run(wechat: SimulatedWeChat, listen: Address, hosts: Sequence[str], *, control: bool) -> None:
    stopped = asyncio.Event()
    stop_on_signals(stopped)
    try:
        running = await start_simulator(wechat, listen.host, listen.port, control=control, hosts=hosts)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {listen}: {error.strerror}") from None
    click.echo(_introduction(wechat, running))
    try:
        await stopped.wait()
    finally:
        await running.stop()


def _introduction(wechat: SimulatedWeChat, running: RunningSimulator) -> str:
    """Return the settings to use, without a secret that the caller chose."""
    account = wechat.find_account(None)
    secret = account.secret if account.secret == DEFAULT_ACCOUNT.secret else "(as given)"
    others = "".join(
        f"\n  and the {'website app' if other.scopes == LOGIN_SCOPES else 'account'} {other.appid}"
        for other in list(wechat.accounts.values())[1:]
    )
    return (
        f"Simulated WeChat on {running.url}; Ctrl-C stops it. To use it:\n\n"
        f"  WECHAT_OPENID_WECHAT_API_URL={running.url}\n"
        f"  WECHAT_OPENID_WECHAT_AUTHORIZE_URL={running.authorize_url}\n"
        f"  WECHAT_OPENID_WECHAT_QRCONNECT_URL={running.qrconnect_url}\n"
        f"  WECHAT_OPENID_APPID={account.appid}\n"
        f"  WECHAT_OPENID_SECRET={secret}{others}\n"
    )
