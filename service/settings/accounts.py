"""The setting ACCOUNTS: a JSON list, whose errors repeat nothing that may be a secret."""

import json
import re
from collections.abc import Sequence

from service.settings.addresses import parse_event_forward_url
from service.settings.values import parse_appid, parse_event_aes_key
from service.wechat.protocol import Account, AccountKind

__all__ = ["parse_accounts"]

_PLAIN_WORD = re.compile(r"[a-z_]{1,20}")
#: What members of an account may be, where not any text will do.
_MEMBERS = {"appid": parse_appid, "event_aes_key": parse_event_aes_key, "event_forward_url": parse_event_forward_url}


def parse_accounts(text: str) -> tuple[Account, ...]:
    """Read a list of accounts, each of its appid once, or nothing."""
    if not text:
        return ()
    form = 'a JSON list such as [{"appid": "wx…", "secret": "…", "name": "Shop"}]'
    try:
        entries = list(json.loads(text))
        _require_known_members(entries)
        accounts = tuple(Account(**{**entry, "kind": _account_kind(entry)}) for entry in entries)
    except (TypeError, AttributeError, json.JSONDecodeError, RecursionError):
        raise ValueError(form) from None
    if not all(isinstance(getattr(account, name), str) for account in accounts for name in Account.__slots__):
        raise ValueError(form)
    _check_each(accounts)
    _check_together(accounts)
    return accounts


def _check_each(accounts: Sequence[Account]) -> None:
    for account in accounts:
        if not (account.appid and account.secret):
            raise ValueError("a list in which each account has an appid and a secret")
        for name, parse in _MEMBERS.items():
            try:
                parse(getattr(account, name))
            except ValueError as error:
                raise ValueError(f"a list in which each {name} is {error}") from None
        if account.event_forward_url and not account.event_token:
            raise ValueError("a list in which each account with an event_forward_url has an event_token")


def _check_together(accounts: Sequence[Account]) -> None:
    if len({account.appid for account in accounts}) < len(accounts):
        raise ValueError("a list that names each appid once")
    websites = {account.appid for account in accounts if account.kind is AccountKind.WEBSITE}
    for account in accounts:
        if account.outside_wechat and (account.appid in websites or account.outside_wechat not in websites):
            raise ValueError(
                "a list in which each outside_wechat of an official account is the appid of a website account"
            )


def _account_kind(entry: dict[str, str]) -> AccountKind:
    try:
        return AccountKind(entry.get("kind", AccountKind.OFFICIAL))
    except ValueError:
        raise ValueError(f"a list in which each kind is one of: {', '.join(AccountKind)}") from None


def _require_known_members(entries: list[dict[str, str]]) -> None:
    known = ", ".join(Account.__slots__)
    for number, entry in enumerate(entries, 1):
        for name in entry.keys() - set(Account.__slots__):
            # Anything but a plain word may be a secret in the wrong place.
            other = f'"{name}"' if _PLAIN_WORD.fullmatch(name) else "another"
            raise ValueError(f"a list whose accounts have no members but {known}; account {number} has {other}")
