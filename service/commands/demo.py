"""`wechat-openid demo`: the service, a simulated WeChat and an H5 page in one process; no account needed."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from service.commands.click_types import Parsed
from service.http.handlers.demo import routes
from service.http.origins import parse_origin
from service.observability.logs import configure_logging
from service.runtime.bootstrap import open_database
from service.runtime.event_loop import run, stop_on_signals
from service.runtime.first_start import make_what_is_missing
from service.runtime.server import bind, run_server
from service.settings import Address, Settings, load_settings, parse_address
from service.simulator.people import DEFAULT_ACCOUNT
from service.simulator.server import start_simulator
from service.simulator.wechat import SimulatedWeChat
from storage.base.clock import SystemClock
from storage.base.passwords import PasswordHashes, generate_password
from storage.sealing import generate_key
from storage.sql.accounts.api_keys import ApiKeys
from storage.sql.accounts.operators import Operators, Role

__all__ = ["demo"]

#: Who may sign in to the demo's dashboard.
_OPERATOR = "demo"
_ADDRESS = Parsed("HOST:PORT", parse_address)


@click.command
@click.option(
    "--listen",
    type=_ADDRESS,
    default="127.0.0.1:8888",
    show_default=True,
    help="The H5 page.",
)
@click.option(
    "--admin-listen",
    type=_ADDRESS,
    default="127.0.0.1:8889",
    show_default=True,
    help="Operators.",
)
@click.option(
    "--simulator-listen",
    type=_ADDRESS,
    default="127.0.0.1:8890",
    show_default=True,
    help="WeChat.",
)
@click.option(
    "origins",
    "--allow-origin",
    type=Parsed("ORIGIN", parse_origin),
    multiple=True,
    help="Where a page of yours is, such as http://localhost:5173; may be repeated.",
)
def demo(listen: Address, admin_listen: Address, simulator_listen: Address, origins: tuple[str, ...]) -> None:
    """Try everything on this machine. What the demo stores is gone when it ends."""
    configure_logging("text", "WARNING")
    with tempfile.TemporaryDirectory(prefix="wechat-openid-demo-") as folder:
        settings = replace(
            load_settings(environment={}),
            appid=DEFAULT_ACCOUNT.appid,
            secret=DEFAULT_ACCOUNT.secret,
            database_url=f"sqlite:///{folder}/wechat-openid.db",
            secret_keys=generate_key(),
            listen=listen,
            admin_listen=admin_listen,
            # PUBLIC_URL stays open, so that the page works by whichever of its names it is opened.
            allowed_origins=(*(f"http://{name}:{listen.port}" for name in _own_names(listen)), *origins),
        )
        run(_demo(settings, simulator_listen))


async def _demo(settings: Settings, simulator_listen: Address) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    listeners = bind(settings)
    try:
        simulator = await start_simulator(SimulatedWeChat(SystemClock()), simulator_listen.host, simulator_listen.port)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {simulator_listen}: {error.strerror}") from None
    settings = replace(settings, wechat_api_url=simulator.url, wechat_authorize_url=simulator.authorize_url)
    make_what_is_missing(settings)
    database = open_database(settings)
    api_key = ApiKeys(database).add("demo", SystemClock().now())
    password = generate_password()
    Operators(database).add(_OPERATOR, PasswordHashes().hash(password), Role.OWNER, SystemClock().now())
    database.close()
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    click.echo(_introduction(settings, simulator.url, api_key, password, path))
    try:
        await run_server(settings, listeners, stop, extra_routes=routes(simulator.script_url))
    finally:
        await simulator.stop()


def _own_names(listen: Address) -> list[str]:
    """Return the hosts by which a browser on this machine may open the page."""
    host = str(listen).rpartition(":")[0]
    return list(dict.fromkeys([host, "127.0.0.1", "localhost"]))


def _introduction(settings: Settings, simulator_url: str, api_key: str, password: str, database: Path) -> str:
    return f"""
wechat-openid demo; Ctrl-C stops it.

  The H5 page           http://{settings.listen}/
  The dashboard         http://{settings.admin_listen}/admin/   (name: {_OPERATOR}, password: {password})
  The simulated WeChat  {simulator_url}
  The database          {database}

A live token of a user, as another backend asks for it (put in an openid that the page shows):

  curl -H 'Authorization: Bearer {api_key}' \\
       http://{settings.admin_listen}/internal/authorizations/{settings.appid}/OPENID/token
"""
