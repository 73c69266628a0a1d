"""`wechat-openid simulator`: a stand-in for WeChat on this machine."""

import asyncio
from collections.abc import Sequence

import click

from service.commands.click_types import Parsed
from service.runtime.event_loop import run, stop_on_signals
from service.settings import Address, parse_address
from service.simulator.people import DEFAULT_ACCOUNT, Account
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
def simulator(
    listen: Address, accounts: Sequence[str], domains: Sequence[str], hosts: Sequence[str], control: bool
) -> None:
    """Run a stand-in for WeChat until Ctrl-C, for developing and testing without an account."""
    try:
        wechat = SimulatedWeChat(SystemClock(), accounts=_read_accounts(accounts, domains))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    run(_run(wechat, listen, hosts, control=control))


def _read_accounts(pairs: Sequence[str], domains: Sequence[str]) -> list[Account]:
    """Return the accounts asked for, or the default one, each with all domains."""
    hosts = frozenset(domain.lower() for domain in domains)
    if not pairs:
        return [Account(DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret, hosts)]
    return [Account(appid, secret, hosts) for appid, _, secret in (pair.partition(":") for pair in pairs)]


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
    others = "".join(f"\n  and the account {appid}" for appid in list(wechat.accounts)[1:])
    return (
        f"Simulated WeChat on {running.url}; Ctrl-C stops it. To use it:\n\n"
        f"  WECHAT_OPENID_WECHAT_API_URL={running.url}\n"
        f"  WECHAT_OPENID_WECHAT_AUTHORIZE_URL={running.authorize_url}\n"
        f"  WECHAT_OPENID_APPID={account.appid}\n"
        f"  WECHAT_OPENID_SECRET={secret}{others}\n"
    )
