"""The doctor: looks at everything the service depends on and says, for each, whether it works and what to do if not."""

import asyncio
import ipaddress
import stat
from collections.abc import AsyncIterator
from importlib import metadata

from service.observability.metrics import Metrics
from service.runtime.bootstrap import DEFAULT_KEY_FILE, open_client, open_database, open_keys, open_store
from service.settings import Address, Settings, SettingsError
from service.wechat.account_check import Finding, Verdict, check_account
from storage.base.errors import StorageError
from storage.sealing import KeyRing
from storage.vault import TokenVault

__all__ = ["examine"]

#: The packages of this distribution, at the top level of site-packages.
_PACKAGES = ("admin", "service", "storage")


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Look at packages, keys, database, store, listeners, and each account at WeChat; give a finding for each."""
    yield _about_packages()
    keys: KeyRing | None = None
    try:
        keys = open_keys(settings)
        yield _about_keys(settings, keys)
    except (StorageError, OSError) as error:
        yield Finding("keys", Verdict.BAD, str(error))
    yield await _about_database(settings)
    if keys is not None:
        yield await _about_store(settings, keys)
    yield _about_listeners(settings)
    try:
        accounts = settings.all_accounts()
    except SettingsError as error:
        yield Finding("accounts", Verdict.BAD, str(error))
        return
    client = open_client(settings, Metrics())
    try:
        for account in accounts:
            yield await check_account(client, account)
    finally:
        await client.close()


def _about_packages() -> Finding:
    installed = metadata.packages_distributions()
    others = {name for package in _PACKAGES for name in installed.get(package, ()) if name != "wechat-openid"}
    if others:
        text = f"{', '.join(sorted(others))} also brings one of {', '.join(_PACKAGES)}: give the service its own venv"
        return Finding("packages", Verdict.BAD, text)
    return Finding("packages", Verdict.GOOD, f"{', '.join(_PACKAGES)} are this service's own")


def _about_keys(settings: Settings, keys: KeyRing) -> Finding:
    ids = f"key ids, newest first: {', '.join(keys.key_ids)}"
    if not settings.secret_keys:
        if stat.S_IMODE(DEFAULT_KEY_FILE.stat().st_mode) & 0o077:
            text = f"others can read {DEFAULT_KEY_FILE}: run chmod 600 {DEFAULT_KEY_FILE} and rotate the key"
            return Finding("keys", Verdict.BAD, text)
        ids += f"; in {DEFAULT_KEY_FILE}: keep a copy apart from the database"
    return Finding("keys", Verdict.GOOD, ids)


async def _about_database(settings: Settings) -> Finding:
    try:
        database = await asyncio.to_thread(open_database, settings)
    except (SettingsError, StorageError) as error:
        return Finding("database", Verdict.BAD, str(error))
    name = database.engine.dialect.name
    database.close()
    return Finding("database", Verdict.GOOD, f"{name} answers and its tables are as this version expects them")


async def _about_store(settings: Settings, keys: KeyRing) -> Finding:
    try:
        vault = TokenVault(await asyncio.to_thread(open_store, settings), keys, instance="doctor")
    except (SettingsError, StorageError) as error:
        return Finding("token store", Verdict.BAD, str(error))
    try:
        await vault.check_keys()
    except StorageError as error:
        return Finding("token store", Verdict.BAD, str(error))
    finally:
        await vault.close()
    return Finding("token store", Verdict.GOOD, f"{settings.token_store}: the keys open what is stored")


def _about_listeners(settings: Settings) -> Finding:
    if _is_wide_open(settings.admin_listen):
        text = f"ADMIN_LISTEN is {settings.admin_listen}: anybody who reaches this machine reaches the operators' side"
        return Finding("listeners", Verdict.WARNING, text)
    if not settings.public_url.startswith("https://"):
        text = "PUBLIC_URL is not https://…, so the session cookie is not Secure; fine for trying out only"
        return Finding("listeners", Verdict.WARNING, text)
    if not settings.trusted_proxies:
        text = (
            "PUBLIC_URL is https://…, so a proxy stands in front, and TRUSTED_PROXIES does not name it: all visitors "
            "seem to come from one address, which the rate limit counts as one"
        )
        return Finding("listeners", Verdict.WARNING, text)
    return Finding("listeners", Verdict.GOOD, f"pages on {settings.listen}, operators on {settings.admin_listen}")


def _is_wide_open(address: Address) -> bool:
    try:
        return ipaddress.ip_address(address.host).is_unspecified
    except ValueError:
        return False
