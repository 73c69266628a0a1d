"""Grants, outcomes and small actions that the tests of the contract are made of."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from storage.grants import Grant, SealedRow, SealedTokens
from storage.leases import Lease, Refreshed
from storage.store import Capability, TokenStore
from storage.user_search import UserQuery, UserSearch
from storage.users import Authorization, AuthorizedUser

__all__ = [
    "APPID",
    "BASE",
    "HOUR",
    "LONG_TTL",
    "NEW_TOKENS",
    "NOW",
    "OTHER_APPID",
    "SHORT_TTL",
    "THREADS",
    "USER",
    "WIDE",
    "a_grant",
    "all_pages",
    "all_sealed",
    "at_once",
    "claimed",
    "refreshed",
    "search_of",
    "skip_without",
    "stored",
]

Result = TypeVar("Result")

APPID = "wx0123456789abcdef"
OTHER_APPID = "wxfedcba9876543210"
USER = "o-user"
#: A moment at the start of an hour.
NOW = 1_800_000_000
HOUR = 3600
BASE = "snsapi_base"
WIDE = "snsapi_userinfo"
NEW_TOKENS = SealedTokens(b"access, refreshed", b"refresh, refreshed")
#: A lease whose end a test waits for, and a lease that outlasts every test.
SHORT_TTL = 1
LONG_TTL = 600
THREADS = 8
SEARCH_SECONDS = 60


def a_grant(openid: str = USER, *, appid: str = APPID, at: int = NOW, **changed: Any) -> Grant:
    """Return the grant of an exchange at a time, with tokens of its own."""
    values: dict[str, Any] = {
        "appid": appid,
        "openid": openid,
        "scope": BASE,
        "tokens": SealedTokens(f"access {openid} {at}".encode(), f"refresh {openid} {at}".encode()),
        "authorized_at": at,
        "expires_at": at + 7200,
        "refresh_expires_at": at + 30 * 86400,
    }
    return Grant(**{**values, **changed})


def refreshed(lease: Lease, **changed: Any) -> Refreshed:
    """Return the outcome of a refresh two hours after `NOW`."""
    values: dict[str, Any] = {
        "scope": lease.authorization.scope,
        "refreshed_at": NOW + 7200,
        "expires_at": NOW + 14400,
        "refresh_expires_at": lease.authorization.refresh_expires_at,
        "next_refresh_at": NOW + 14000,
    }
    return lease.refreshed(NEW_TOKENS, **{**values, **changed})


def stored(store: TokenStore, openid: str = USER, appid: str = APPID) -> Authorization:
    """Return an authorization that must be there."""
    found = store.get(appid, openid)
    assert found is not None
    return found


def claimed(store: TokenStore, owner: str = "first", ttl: int = LONG_TTL, openid: str = USER) -> Lease:
    """Return a lease that must be free."""
    lease = store.claim(APPID, openid, owner, ttl)
    assert lease is not None
    return lease


def at_once(work: Callable[[int], Result]) -> list[Result]:
    """Run the same work in several threads; each is given its number."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(work, range(THREADS)))


def search_of(store: TokenStore) -> UserSearch:
    """Return what lists users, with time enough for a busy machine."""
    return store.user_search(SEARCH_SECONDS)


def all_pages(store: TokenStore, **query: Any) -> list[AuthorizedUser]:
    """Return the users of all pages of a query."""
    users: list[AuthorizedUser] = []
    after: tuple[int | str, int] | None = None
    while True:
        page = search_of(store).page(UserQuery(**query, after=after))
        users += page.users
        if page.next_cursor is None:
            return users
        after = page.next_cursor


def all_sealed(store: TokenStore, limit: int = 500) -> list[SealedRow]:
    """Return the sealed tokens of everybody, read page by page."""
    rows: list[SealedRow] = []
    while page := store.sealed_page(rows[-1].id if rows else 0, limit):
        rows += page
    return rows


def skip_without(store: TokenStore, capability: Capability) -> None:
    """Skip the test where the store leaves out what it is about."""
    if capability not in store.capabilities:
        pytest.skip(f"the store leaves out {capability.value}")
