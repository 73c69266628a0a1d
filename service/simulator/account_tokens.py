"""Accounts' own access tokens and tickets, as `stable_token`, `token` and `getticket` give them.

The behaviour follows Tencent's descriptions (获取稳定版接口调用凭据, 获取接口调用凭据, 获取 ticket). What is written of
the limits of forced tokens names no errcodes; here they are those of spent quotas.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from service.simulator.errcodes import ErrorReply, require
from service.simulator.replies import Reply

__all__ = ["AccountTokens"]

_LIFETIME = 7200
#: So long before its end a token or ticket is replaced by a new one, and both live.
_OVERLAP = 300
_FORCED_A_DAY = 20
_BETWEEN_FORCED = 30
_DAY = 86400
_BEIJING = 8 * 3600
_TICKET_TYPES = frozenset({"jsapi", "wx_card"})
_NOT_LATEST = (
    "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, "
    "more details at https://mmbizurl.cn/s/JtxxFh33r"
)


@dataclass(slots=True)
class _Issued:
    """An access token or a ticket; `is_ended` before its time when another was forced."""

    appid: str
    value: str = field(repr=False)
    expires_at: int
    is_ended: bool = False
    type: str = "access_token"


class AccountTokens:
    """What accounts were given. Nothing is forgotten, so that an expired token and an unknown one stay different.

    Args:
        now: Tells the time.
        check_secret: Raises `ErrorReply` where a secret is not an account's.

    Attributes:
        ip_list: The addresses that may call; None lets everybody.
    """

    def __init__(self, now: Callable[[], int], check_secret: Callable[[str, str], None]) -> None:
        self._now = now
        self._check_secret = check_secret
        self._tokens: dict[str, _Issued] = {}
        self._tickets: list[_Issued] = []
        self._stable: dict[str, _Issued] = {}
        self._plain: dict[str, _Issued] = {}
        self._latest_tickets: dict[tuple[str, str], _Issued] = {}
        self._forced: dict[str, list[int]] = {}
        self.ip_list: frozenset[str] | None = None

    def check_address(self, address: str) -> None:
        """Refuse a call from an address that is not on the list.

        Raises:
            ErrorReply: 40164, with the address.
        """
        if self.ip_list is not None and address not in self.ip_list:
            raise ErrorReply(40164, f"invalid ip {address} ipv6 ::ffff:{address}, not in whitelist")

    def stable_token(self, *, grant_type: str, appid: str, secret: str, force_refresh: bool) -> Reply:
        """Answer `/cgi-bin/stable_token`. An empty argument is a missing one.

        Raises:
            ErrorReply: 41002, 41004, 40002, 40013, 40125, 40001; of forced ones 45011 (within 30 seconds) and 45009.
        """
        self._check(grant_type, appid, secret)
        if force_refresh:
            self._count_forced(appid)
            self.force(appid)
        elif not self._lives_on(self._stable.get(appid)):
            self._stable[appid] = self._new_token(appid)
        return self._token_reply(self._stable[appid])

    def force(self, appid: str) -> None:
        """End the account's stable token and make another, as a server does that asks with `force_refresh`."""
        if appid in self._stable:
            self._stable[appid].is_ended = True
        self._stable[appid] = self._new_token(appid)

    def token(self, *, grant_type: str, appid: str, secret: str) -> Reply:
        """Answer `/cgi-bin/token`: a new token, which ends the one before it, and none of `stable_token`'s.

        Raises:
            ErrorReply: 41002, 41004, 40002, 40013, 40125, 40001.
        """
        self._check(grant_type, appid, secret)
        if appid in self._plain:
            self._plain[appid].is_ended = True
        self._plain[appid] = self._new_token(appid)
        return self._token_reply(self._plain[appid])

    def ticket(self, *, access_token: str, ticket_type: str) -> Reply:
        """Answer `/cgi-bin/ticket/getticket`.

        Raises:
            ErrorReply: 41001, 40001, 42001, 40097 (the type).
        """
        appid = self._appid_of(access_token)
        if ticket_type not in _TICKET_TYPES:
            raise ErrorReply(40097)
        latest = self._latest_tickets.get((appid, ticket_type))
        if latest is None or not self._lives_on(latest):
            latest = _Issued(appid, secrets.token_urlsafe(64), self._now() + _LIFETIME, type=ticket_type)
            self._latest_tickets[appid, ticket_type] = latest
            self._tickets.append(latest)
        return {"errcode": 0, "errmsg": "ok", "ticket": latest.value, "expires_in": latest.expires_at - self._now()}

    def is_signed(self, appid: str, url: str, noncestr: str, timestamp: str, signature: str) -> bool:
        """Return whether a page's address is signed with a jsapi ticket of the account that lives."""
        return any(
            signature == _signature(ticket.value, noncestr, timestamp, url)
            for ticket in self._tickets
            if ticket.appid == appid and ticket.type == "jsapi" and self._now() < ticket.expires_at
        )

    def secrets(self) -> set[str]:
        """Return every token and ticket."""
        return {*self._tokens, *(ticket.value for ticket in self._tickets)}

    def _check(self, grant_type: str, appid: str, secret: str) -> None:
        require((appid, 41002), (secret, 41004))
        if grant_type != "client_credential":
            raise ErrorReply(40002)
        self._check_secret(appid, secret)

    def _count_forced(self, appid: str) -> None:
        now, forced = self._now(), self._forced.setdefault(appid, [])
        if forced and now - forced[-1] < _BETWEEN_FORCED:
            raise ErrorReply(45011)
        if sum((at + _BEIJING) // _DAY == (now + _BEIJING) // _DAY for at in forced) >= _FORCED_A_DAY:
            raise ErrorReply(45009)
        forced.append(now)

    def _appid_of(self, access_token: str) -> str:
        require((access_token, 41001))
        found = self._tokens.get(access_token)
        if found is None or found.is_ended:
            raise ErrorReply(40001, _NOT_LATEST)
        if self._now() >= found.expires_at:
            raise ErrorReply(42001)
        return found.appid

    def _lives_on(self, issued: _Issued | None) -> bool:
        return issued is not None and self._now() < issued.expires_at - _OVERLAP

    def _new_token(self, appid: str) -> _Issued:
        token = _Issued(appid, f"{secrets.randbelow(90) + 10}_{secrets.token_urlsafe(110)}", self._now() + _LIFETIME)
        self._tokens[token.value] = token
        return token

    def _token_reply(self, token: _Issued) -> Reply:
        return {"access_token": token.value, "expires_in": token.expires_at - self._now()}


def _signature(ticket: str, noncestr: str, timestamp: str, url: str) -> str:
    text = "&".join((f"jsapi_ticket={ticket}", f"noncestr={noncestr}", f"timestamp={timestamp}", f"url={url}"))
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
