"""`wechat-openid doctor`: checks everything the service depends on, and says what to do where something is wrong."""

import asyncio
import ipaddress
import sys
from collections.abc import AsyncIterator, Container, Sequence
from importlib import metadata
from pathlib import Path

import click

from service.commands.exposure import examine_exposure
from service.observability.metrics import Metrics
from service.runtime.bootstrap import DEFAULT_KEY_FILE, open_client, open_database, open_keys, open_store
from service.runtime.event_loop import run
from service.settings import Address, Settings, SettingsError, load_settings
from service.wechat.account_check import CheckResult, CheckStatus, check_account, check_account_token
from service.wechat.protocol import Account
from storage.base.clock import DAY_SECONDS, SystemClock
from storage.base.errors import NotMadeYet, StorageError
from storage.base.risks import RISK_SENTENCES
from storage.credentials.vault import CredentialVault
from storage.sealing import KeyRing, generate_key
from storage.vault import TokenVault

__all__ = ["doctor", "examine"]

#: The packages of this distribution, at the top level of site-packages.
_PACKAGES = ("admin", "service", "storage")

_COLOURS = {CheckStatus.GOOD: "green", CheckStatus.WARNING: "yellow", CheckStatus.BAD: "red"}


@click.command
@click.option(
    "--account-tokens", is_flag=True, help="Also ask for accounts' own access tokens where none was in use lately."
)
@click.pass_obj
def doctor(config: Path | None, account_tokens: bool) -> None:
    """Check settings, keys, database and each account at WeChat. The exit status is 1 if anything is bad."""
    sys.exit(run(_examine(load_settings(config), config, account_tokens=account_tokens)))


async def _examine(settings: Settings, config: Path | None, *, account_tokens: bool) -> int:
    bad = False
    async for result in examine(settings, config, account_tokens=account_tokens):
        status = click.style(f"{result.status:8}", fg=_COLOURS[result.status])
        click.echo(f"{status} {result.subject}: {result.text}")
        bad = bad or result.status is CheckStatus.BAD
    return int(bad)


async def examine(
    settings: Settings, config: Path | None = None, *, account_tokens: bool = False
) -> AsyncIterator[CheckResult]:
    """Check packages, keys, database, store, files, listeners, and each account at WeChat; yield a result for each.

    Args:
        settings: What to check.
        config: The file that they were read from.
        account_tokens: Ask for all accounts' own access tokens, which takes an entry in the IP list of each; otherwise
            for those that are in use.
    """
    yield _about_packages()
    keys: KeyRing | None = None
    try:
        keys = open_keys(settings)
        yield _about_keys(settings, keys)
    except NotMadeYet as error:
        yield CheckResult("keys", CheckStatus.WARNING, str(error))
        keys = KeyRing.parse(generate_key())  # as a first start would make them: what is stored tells whether they fit
    except (StorageError, OSError) as error:
        yield CheckResult("keys", CheckStatus.BAD, str(error))
    yield await _about_database(settings)
    if keys is not None:
        yield await _about_store(settings, keys)
    for result in examine_exposure(settings, config):
        yield result
    yield _about_listeners(settings)
    try:
        accounts = settings.all_accounts()
    except SettingsError as error:
        yield CheckResult("accounts", CheckStatus.BAD, str(error))
        return
    in_use = set() if keys is None else await _accounts_in_use(settings, keys)
    asked = {account.appid for account in accounts if account_tokens or account.appid in in_use}
    async for result in _about_accounts(settings, accounts, asked):
        yield result


async def _about_accounts(
    settings: Settings, accounts: Sequence[Account], asked_for_tokens: Container[str]
) -> AsyncIterator[CheckResult]:
    for account in accounts:
        if account.event_token and not account.event_aes_keys:
            yield _about_plain_mode(account)
    client = open_client(settings, Metrics())
    try:
        for account in accounts:
            yield await check_account(client, account)
            if account.appid in asked_for_tokens:
                yield await check_account_token(client, account)
    finally:
        await client.close()


def _about_packages() -> CheckResult:
    installed = metadata.packages_distributions()
    others = {name for package in _PACKAGES for name in installed.get(package, ()) if name != "wechat-openid"}
    if others:
        text = f"{', '.join(sorted(others))} also brings one of {', '.join(_PACKAGES)}: give the service its own venv"
        return CheckResult("packages", CheckStatus.BAD, text)
    return CheckResult("packages", CheckStatus.GOOD, f"{', '.join(_PACKAGES)} are this service's own")


def _about_keys(settings: Settings, keys: KeyRing) -> CheckResult:
    ids = f"key ids, newest first: {', '.join(keys.key_ids)}"
    if not settings.secret_keys:
        ids += f"; in {DEFAULT_KEY_FILE}: keep a copy apart from the database"
    return CheckResult("keys", CheckStatus.GOOD, ids)


async def _about_database(settings: Settings) -> CheckResult:
    try:
        database = await asyncio.to_thread(open_database, settings)
    except NotMadeYet as error:
        return CheckResult("database", CheckStatus.WARNING, str(error))
    except (SettingsError, StorageError) as error:
        return CheckResult("database", CheckStatus.BAD, str(error))
    product = await asyncio.to_thread(database.read, database.dialect.product)
    database.close()
    text = f"{product} answers and its tables are as this version expects them"
    if product.is_tried:
        return CheckResult("database", CheckStatus.GOOD, text)
    return CheckResult("database", CheckStatus.WARNING, f"{text}; it is not part of the tests, see docs/scaling.md")


async def _about_store(settings: Settings, keys: KeyRing) -> CheckResult:
    try:
        vault = TokenVault(await asyncio.to_thread(open_store, settings), keys, instance="doctor")
    except NotMadeYet:
        return CheckResult("token store", CheckStatus.WARNING, "nothing is stored yet: there is no database")
    except (SettingsError, StorageError) as error:
        return CheckResult("token store", CheckStatus.BAD, str(error))
    try:
        await vault.check_keys()
        await vault.check_writable()
        risks = await vault.risks()
    except StorageError as error:
        return CheckResult("token store", CheckStatus.BAD, str(error))
    finally:
        await vault.close()
    text = f"{settings.token_store}: takes authorizations; the keys open what is stored"
    if risks:
        risky = "; ".join(RISK_SENTENCES[one] for one in risks)
        return CheckResult("token store", CheckStatus.WARNING, f"{text}; but {risky}")
    return CheckResult("token store", CheckStatus.GOOD, text)


async def _accounts_in_use(settings: Settings, keys: KeyRing) -> set[str]:
    """Return the accounts whose own tokens or tickets somebody has asked for within the last day."""
    try:
        store = await asyncio.to_thread(open_store, settings)
    except (SettingsError, StorageError):
        return set()  # which is told of the store already
    try:
        since = SystemClock().now() - DAY_SECONDS
        kept = await CredentialVault(store, keys, instance="doctor").all()
        return {one.appid for one in kept if one.last_used_at > since}
    except StorageError:
        return set()
    finally:
        await asyncio.to_thread(store.close)


def _about_listeners(settings: Settings) -> CheckResult:
    if _is_wide_open(settings.admin_listen):
        text = f"ADMIN_LISTEN is {settings.admin_listen}: anybody who reaches this machine reaches the operators' side"
        return CheckResult("listeners", CheckStatus.WARNING, text)
    if not settings.public_url.startswith("https://"):
        text = "PUBLIC_URL is not https://…, so the session cookie is not Secure; fine for trying out only"
        return CheckResult("listeners", CheckStatus.WARNING, text)
    if not settings.trusted_proxies:
        text = (
            "PUBLIC_URL is https://…, so a proxy stands in front, and TRUSTED_PROXIES does not name it: all visitors "
            "seem to come from one address, which the rate limit counts as one and by which none is told from another; "
            "a code that is posted twice is answered twice to browsers with a cookie only"
        )
        return CheckResult("listeners", CheckStatus.WARNING, text)
    return CheckResult(
        "listeners", CheckStatus.GOOD, f"pages on {settings.listen}, operators on {settings.admin_listen}"
    )


def _about_plain_mode(account: Account) -> CheckResult:
    text = (
        "EVENT_AES_KEY is not set, so messages come in plain mode, in which the signature does not cover what they "
        "say: choose the secure mode (安全模式) in the console"
    )
    return CheckResult(f"events of {account.appid}", CheckStatus.WARNING, text)


def _is_wide_open(address: Address) -> bool:
    try:
        return ipaddress.ip_address(address.host).is_unspecified
    except ValueError:
        return False
