"""What the authorize page is asked for: read strictly, and the way back to the page that asked.

Order and limits of the parameters, and the numbers 10003 to 10016, are those of Tencent's description of web
authorization (网页授权). It gives no number for parameters that are out of order; the simulator shows 10014.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from service.simulator.people import SCOPES, Account

__all__ = ["MAX_STATE_BYTES", "AuthorizeRequest", "ErrorPage", "read_authorize_request"]

MAX_STATE_BYTES = 128

_ORDER = ("appid", "redirect_uri", "response_type", "scope", "state")


class ErrorPage(Exception):
    """The page shows an error to the user and does not go back to the redirect_uri."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(str(number))


@dataclass(frozen=True, slots=True)
class AuthorizeRequest:
    """A request that the page accepts. `extras` are the parameters after `state`, such as `forceSnapShot`."""

    account: Account
    redirect_uri: str
    scope: str
    state: str
    extras: Mapping[str, str]

    @property
    def asks_user(self) -> bool:
        """Whether the user is asked for consent."""
        return self.scope != "snsapi_base"

    @property
    def may_be_snapshot(self) -> bool:
        """Whether the page may be a snapshot page."""
        return self.scope == "snsapi_userinfo"

    @property
    def forces_snapshot(self) -> bool:
        """Whether the page is to be taken for a snapshot page."""
        return self.extras.get("forceSnapShot") == "true"

    def return_url(self, code: str | None) -> str:
        """Return where the browser goes next, with a code if there is one.

        What the redirect_uri's query holds stays; the new parameters stand behind it, before any `#`.
        """
        parameters = {"state": self.state} if code is None else {"code": code, "state": self.state}
        url = urlsplit(self.redirect_uri)
        added = urlencode(parameters, quote_via=quote, safe="")
        query = f"{url.query}&{added}" if url.query else added
        return url._replace(path=url.path or "/", query=query).geturl()


def read_authorize_request(
    query: str, accounts: Mapping[str, Account], scopes: Collection[str] = SCOPES
) -> AuthorizeRequest:
    """Read the query of an authorize URL as strictly as WeChat does.

    `state` may be missing. The fragment `#wechat_redirect`, which WeChat requires, never reaches a server. `scopes` are
    those that the page knows.

    Raises:
        ErrorPage: 10003 (host of the redirect_uri), 10005 (scope not granted), 10010 to 10013 (scope, redirect_uri
            or appid missing, state too long), 10014 (order, repetition or response_type), 10016 (unknown appid).
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    for name, number in (("appid", 10012), ("redirect_uri", 10011), ("scope", 10010)):
        if not given.get(name):
            raise ErrorPage(number)
    if not _in_order([name for name, _ in pairs]) or given["response_type"] != "code":
        raise ErrorPage(10014)
    state = given.get("state", "")
    if len(state.encode()) > MAX_STATE_BYTES:
        raise ErrorPage(10013)
    account = accounts.get(given["appid"])
    if account is None:
        raise ErrorPage(10016)
    if given["scope"] not in account.scopes.intersection(scopes):
        raise ErrorPage(10005)
    if not _is_of_domains(given["redirect_uri"], account.domains):
        raise ErrorPage(10003)
    extras = {name: value for name, value in given.items() if name not in _ORDER}
    return AuthorizeRequest(account, given["redirect_uri"], given["scope"], state, extras)


def _in_order(names: list[str]) -> bool:
    """Tell whether the fixed parameters come first, in their order; `state` may be missing."""
    expected = [name for name in _ORDER if name != "state" or name in names]
    return names[: len(expected)] == expected and len(set(names)) == len(names)


def _is_of_domains(redirect_uri: str, domains: frozenset[str]) -> bool:
    """Tell whether a redirect_uri is a web address whose host is exactly one of the domains (any host if none)."""
    try:
        url: SplitResult = urlsplit(redirect_uri)
        host = url.hostname
    except ValueError:
        return False
    is_web_address = url.scheme in {"http", "https"} and bool(host) and redirect_uri.isprintable()
    return is_web_address and (not domains or host in domains)
