"""`wechat-openid simulator`: a stand-in for WeChat on this machine."""

import asyncio
import contextlib
import signal
from collections.abc import Sequence

import click

from service.simulator.people import DEFAULT_ACCOUNT, Account
from service.simulator.server import RunningSimulator, start_simulator
from service.simulator.wechat import SimulatedWeChat
from storage.clock import SystemClock

__all__ = ["simulator"]

_MAX_PORT = 65535


class _ListenAddress(click.ParamType[tuple[str, int]]):
    """`HOST:PORT`, the host of an IPv6 address in brackets."""

    name = "HOST:PORT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Return host and port."""
        host, _, port = str(value).rpartition(":")
        if not host or not port.isdecimal() or int(port) > _MAX_PORT:
            self.fail("expected HOST:PORT, such as 127.0.0.1:8890", param, ctx)
        return host.removeprefix("[").removesuffix("]"), int(port)


@click.command
@click.option(
    "--listen",
    type=_ListenAddress(),
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
@click.option("--control/--no-control", default=True, show_default=True, help="Serve the control API, /simulator/…")
def simulator(listen: tuple[str, int], accounts: Sequence[str], domains: Sequence[str], control: bool) -> None:
    """Run a stand-in for WeChat until Ctrl-C, for developing and testing without an account."""
    try:
        wechat = SimulatedWeChat(SystemClock(), accounts=_read_accounts(accounts, domains))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    asyncio.run(_run(wechat, *listen, control=control))


def _read_accounts(pairs: Sequence[str], domains: Sequence[str]) -> list[Account]:
    """Return the accounts asked for, or the default one, each with all domains."""
    hosts = frozenset(domain.lower() for domain in domains)
    if not pairs:
        return [Account(DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret, hosts)]
    return [Account(appid, secret, hosts) for appid, _, secret in (pair.partition(":") for pair in pairs)]


async def _run(wechat: SimulatedWeChat, host: str, port: int, *, control: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C ends asyncio.run by itself
            loop.add_signal_handler(number, stopped.set)
    try:
        running = await start_simulator(wechat, host, port, control=control)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from None
    click.echo(_introduction(wechat, running))
    try:
        await stopped.wait()
    finally:
        await running.stop()


def _introduction(wechat: SimulatedWeChat, running: RunningSimulator) -> str:
    """Return the settings to use. A secret that was given stays with who gave it."""
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
