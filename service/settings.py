"""Every setting: one table of names, defaults, meanings and parsers, read from the environment or a TOML file.

A setting `NAME` is read from the variable `WECHAT_OPENID_NAME`, else from the file that `WECHAT_OPENID_NAME_FILE`
names, else from `name` in the file given by `--config`, else it has its default.
"""

import difflib
import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from limits import parse_many

from service.http.origins import parse_origin
from service.wechat.protocol import Account
from service.wechat.transports import TransportName
from storage.base.addresses import unescaped_characters

__all__ = ["PREFIX", "Address", "Network", "Settings", "SettingsError", "load_settings", "parse_address", "secrets_in"]

PREFIX = "WECHAT_OPENID_"

#: Kubernetes gives every container such variables about a service that is named wechat-openid ("service links").
_SERVICE_LINK = re.compile(rf"{PREFIX}(?:SERVICE_HOST|SERVICE_PORT(?:_.*)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_.*)?)?)$")

#: An EncodingAESKey is 32 bytes in base64, without the padding.
_EVENT_AES_KEY = re.compile(r"[A-Za-z0-9+/]{43}")

#: As containers and name servers have them.
_HOST_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
#: How names end that no public name server knows (RFC 2606, 6762, 8375, ICANN's `internal`, and Kubernetes).
_PRIVATE_NAMES = (".internal", ".local", ".localhost", ".home.arpa", ".test", ".svc")

_TWO_API_URLS = "https://api.weixin.qq.com,https://api2.weixin.qq.com"

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingsError(Exception):
    """Settings that cannot work. The text names each one and says what it should be; it never quotes a secret."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _setting(default: str, parse: Callable[[str], T], about: str, *, secret: bool = False) -> T:
    """Describe one row of the table. The default is written as the environment would write it."""
    return cast("T", field(repr=not secret, metadata={"default": default, "parse": parse, "about": about}))


def parse_address(text: str) -> Address:
    """Read `host:port`; the host of an IPv6 address stands in brackets.

    Raises:
        ValueError: It is not of that form; the text says what is.
    """
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdecimal() or not 0 <= int(port) <= 65535:  # noqa: PLR2004 - the last port
        raise ValueError("host:port, such as 127.0.0.1:8888")
    return Address(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - asked for by leaving the host out


def _text(text: str) -> str:
    return text


def _http_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        names_host = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        # Such an address is shown to pages, logs and other servers.
        names_host = names_host and "@" not in parts.netloc
    except ValueError:  # a port that is not a number, or half a pair of brackets
        names_host = False
    if not names_host or "?" in text or "#" in text:
        raise ValueError("an http:// or https:// URL without user name, query and fragment")
    return text.rstrip("/")


def _http_urls(text: str) -> str:
    try:
        return ",".join(
            dict.fromkeys(_http_url(word.strip()) for word in text.split(",") if word.strip() or text == word)
        )
    except ValueError as error:
        raise ValueError(f"{error}; further ones separated by commas, such as {_TWO_API_URLS}") from None


def _optional_http_url(text: str) -> str:
    return _http_url(text) if text else ""


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of: {', '.join(choice or '(empty)' for choice in choices)}")
        return text

    return parse


def _transport(text: str) -> TransportName | None:
    match text:
        case "":
            return None
        case "curl" | "requests":
            return text
        case _:
            raise ValueError("one of: curl, requests; or empty")


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError("true or false")
    return text.lower() == "true"


def _origins(text: str) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(parse_origin(word.strip()) for word in text.split(",") if word.strip()))
    except ValueError:
        raise ValueError("origins separated by commas, such as https://h5.example.com,http://localhost:5173") from None


def _host_names(text: str) -> tuple[str, ...]:
    names = tuple(word.strip().lower() for word in text.split(",") if word.strip())
    if not all(_HOST_NAME.fullmatch(name) for name in names):
        raise ValueError("host names without a port, separated by commas, such as wechat-openid,admin.example.com")
    return names


def _optional_folder(text: str) -> Path | None:
    if text and not Path(text).is_dir():
        raise ValueError("an existing folder, or empty")
    return Path(text) if text else None


def _event_aes_key(text: str) -> str:
    if text and not all(_EVENT_AES_KEY.fullmatch(key.strip()) for key in text.split(",")):
        raise ValueError(
            "43 letters and digits, as shown in the account's console; two of these separated by a comma; or empty"
        )
    return text


def _event_forward_url(text: str) -> str:
    """Read the address of a server of one's own. What people write must not cross the internet in clear."""
    if not text:
        return ""
    expected = (
        "an https:// URL without user, password and fragment; or an http:// one of a private address or of a name "
        "that only a private network knows, such as http://10.0.0.5/wechat, http://backend:8000 or "
        "http://backend.internal"
    )
    try:
        parts = urlsplit(text)
        host, has_port = parts.hostname or "", parts.port != 0
    except ValueError:
        raise ValueError(expected) from None
    is_url = text.isascii() and text.isprintable() and " " not in text and "#" not in text and "@" not in parts.netloc
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and _is_private(host))
    if not (is_url and host and has_port and is_safe):
        raise ValueError(expected)
    return text


def _is_private(host: str) -> bool:
    """Return whether a host is one that is not reached over the internet, as far as its name tells."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_NAMES)
    return address.is_private or address.is_link_local


def _number(kind: Callable[[str], T], low: float, high: float) -> Callable[[str], T]:
    def parse(text: str) -> T:
        expected = f"a {'whole ' if kind is int else ''}number from {low:g} to {high:g}"
        try:
            value, fits = kind(text), low <= float(text) <= high
        except ValueError:
            raise ValueError(expected) from None
        if not fits:
            raise ValueError(expected)
        return value

    return parse


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(word.strip()) for word in text.split(",") if word.strip())
    except ValueError:
        raise ValueError("addresses or networks separated by commas, such as 127.0.0.1,10.0.0.0/8") from None


def _rate_limit(text: str) -> str:
    if text:
        try:
            parse_many(text)
        except ValueError:
            raise ValueError("rates such as 600/minute, several separated by semicolons; empty for none") from None
    return text


def _counters(text: str) -> str:
    # Whoever opens it would quote an unknown URL, password and all.
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"async+memory", "async+redis", "async+rediss"} and parts.port != 0
    except ValueError:
        known = False
    about_password = unescaped_characters(text)
    if about_password:
        raise ValueError(f"a URL that can be read: {about_password}")
    if not known:
        raise ValueError("async+memory://, async+redis://host:6379 or async+rediss://host:6379")
    return text


def _accounts(text: str) -> tuple[Account, ...]:
    if not text:
        return ()
    form = 'a JSON list such as [{"appid": "wx…", "secret": "…", "name": "Shop"}]'
    try:
        accounts = tuple(Account(**entry) for entry in json.loads(text))
    except (TypeError, ValueError, RecursionError):
        raise ValueError(form) from None
    for account in accounts:
        if not all(isinstance(getattr(account, name), str) for name in Account.__slots__):
            raise ValueError(form)
        if not (account.appid and account.secret):
            raise ValueError("a list in which each account has an appid and a secret")
        for name, parse in (("event_aes_key", _event_aes_key), ("event_forward_url", _event_forward_url)):
            try:
                parse(getattr(account, name))
            except ValueError as error:
                raise ValueError(f"a list in which each {name} is {error}") from None
        if account.event_forward_url and not account.event_token:
            raise ValueError("a list in which each account with an event_forward_url has an event_token")
    if len({account.appid for account in accounts}) < len(accounts):
        raise ValueError("a list that names each appid once")
    return accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings, parsed. Each field is a row of the table; its name in capitals is the setting's name."""

    appid: str = _setting("", _text, "The AppID of your Official Account.")
    secret: str = _setting("", _text, "Its AppSecret. It never leaves the server.", secret=True)
    accounts: tuple[Account, ...] = _setting(
        "",
        _accounts,
        'Several accounts instead of one: a JSON list of {"appid", "secret", "name", "event_token", "event_aes_key", '
        '"event_forward_url"}, the last four optional. The first is the default.',
        secret=True,
    )
    database_url: str = _setting(
        "sqlite:///var/wechat-openid.db", _text, "Where authorizations are kept, as an SQLAlchemy URL.", secret=True
    )
    token_store: str = _setting("sql", _text, "Which token store keeps them; `wechat-openid stores` lists the names.")
    token_store_url: str = _setting(
        "",
        _text,
        "Where that store keeps them, if not in `DATABASE_URL`, such as a store that is not SQL.",
        secret=True,
    )
    secret_keys: str = _setting(
        "",
        _text,
        "Keys that seal the tokens, newest first, separated by commas. Empty: the file `var/secret-keys`, "
        "made at the first start; keep a copy of it apart from the database.",
        secret=True,
    )
    listen: Address = _setting("127.0.0.1:8888", parse_address, "Where pages reach the service.")
    admin_listen: Address = _setting(
        "127.0.0.1:8889", parse_address, "Where operators and other backends reach it. Keep it private."
    )
    public_url: str = _setting(
        "", _optional_http_url, "The service's address as browsers see it. With https:// the session cookie is Secure."
    )
    admin_url: str = _setting(
        "",
        _optional_http_url,
        "The dashboard's address as browsers see it, without a path. Empty: the one that a request was sent to, or "
        "what a trusted proxy says, with a host of ADMIN_HOSTS. With https:// its cookies are Secure.",
    )
    admin_hosts: tuple[str, ...] = _setting(
        "",
        _host_names,
        "Further names by which programs may ask ADMIN_LISTEN, without a port, separated by commas, such as "
        "`wechat-openid`. Addresses in numbers, `localhost` and ADMIN_URL's host always may; other names get 421.",
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        "",
        _networks,
        "Proxies whose X-Forwarded-For, -Proto and -Host, Forwarded and X-Real-IP are believed: addresses or networks, "
        "separated by commas. Name all that stand in front.",
    )
    allowed_origins: tuple[str, ...] = _setting(
        "",
        _origins,
        "Origins of the pages that may use the service and be returned to, separated by commas, such as "
        "`https://h5.example.com`. That of PUBLIC_URL always may.",
    )
    require_state: bool = _setting(
        "false", _flag, "Refuse codes that come without a `state` of GET /authorize. Pages must begin there."
    )
    profile_cache_seconds: int = _setting(
        "86400", _number(int, 0, 30 * 86_400), "How long a profile is shown before WeChat is asked for it again."
    )
    verification_files: Path | None = _setting(
        "", _optional_folder, "A folder of `MP_verify_….txt` files, which are served at the root."
    )
    id_token_audience: str = _setting(
        "",
        _text,
        "Whom identity tokens (`id_token`) are made for: a name of your page's backend. Needs PUBLIC_URL, their "
        "issuer. Empty: none are made.",
    )
    event_token: str = _setting(
        "", _text, "The token that WeChat signs pushed events with. Empty: events are not taken.", secret=True
    )
    event_aes_key: str = _setting(
        "",
        _event_aes_key,
        "The EncodingAESKey of pushed events. With it, events that are not encrypted are refused. While the key is "
        "changed: the new one and the last one, separated by a comma.",
        secret=True,
    )
    event_forward_url: str = _setting(
        "",
        _event_forward_url,
        "Your own server for what users write to the account: everything that WeChat pushes is passed on to it, and "
        "its replies go back. https://, or http:// in a private network.",
        secret=True,
    )
    wechat_api_url: str = _setting(
        "https://api.weixin.qq.com",
        _http_urls,
        "WeChat's API. Further addresses, separated by commas, such as `https://api2.weixin.qq.com`, are asked while "
        "those before them do not answer.",
    )
    wechat_authorize_url: str = _setting(
        "https://open.weixin.qq.com/connect/oauth2/authorize", _http_url, "WeChat's authorize page."
    )
    wechat_transport: TransportName | None = _setting(
        "",
        _transport,
        "`curl` (fast) or `requests` (portable). Empty: curl where it is installed.",
    )
    wechat_timeout_seconds: float = _setting(
        "4", _number(float, 0.1, 4.9), "How long one call to WeChat may take. A page gives up after 5 seconds."
    )
    wechat_ca_file: str = _setting(
        "",
        _text,
        "Certificate authorities to trust for WeChat, where a proxy on the way has its own. Empty: the usual.",
    )
    wechat_max_connections: int = _setting(
        "128", _number(int, 1, 4096), "Connections to WeChat that each process may have open at once."
    )
    workers: int = _setting("1", _number(int, 1, 128), "Processes that share the ports.")
    refresh_every_seconds: float = _setting(
        "10", _number(float, 0.1, 3600), "How often each process looks for tokens that are due."
    )
    refresh_ahead_seconds: int = _setting(
        "600", _number(int, 0, 3600), "How long before its end a token is refreshed, but at most a tenth of its life."
    )
    refresh_active_within_days: int = _setting(
        "7", _number(int, 0, 30), "Keep the tokens of users seen within so many days fresh. 0: refresh on use only."
    )
    refresh_concurrency: int = _setting(
        "16", _number(int, 1, 1000), "Scheduled refreshes under way at once in each process."
    )
    refresh_max_per_second: float = _setting(
        "50", _number(float, 0.1, 10_000), "Scheduled refreshes a second for each account in each process."
    )
    rate_limit: str = _setting(
        "600/minute",
        _rate_limit,
        "Exchanges one client address may ask for, authorizations it may begin, and profiles; a /24 of IPv4 and a /48 "
        "of IPv6 may have ten times as many, the profile of one user a tenth. A code that WeChat refuses counts as "
        "ten. Empty: no limit.",
    )
    exchange_budget: int = _setting(
        "40000",
        _number(int, 0, 10_000_000),
        "Exchanges a minute for each account, below the 50,000 that WeChat allows. Half is for anybody, the rest for "
        "visitors who come by GET /authorize, have a session or an address that signed in lately. 0: no limit.",
    )
    rate_limit_storage: str = _setting(
        "async+memory://",
        _counters,
        "Where these are counted: in each process, or for all of them in `async+redis://host:6379`.",
        secret=True,
    )
    audit_retention_days: int = _setting(
        "365", _number(int, 0, 36_500), "How long the dashboard's audit log is kept. 0: for ever."
    )
    log_format: str = _setting("text", _one_of("text", "json"), "`text` for people, `json` for machines.")
    log_level: str = _setting(
        "INFO", _one_of("DEBUG", "INFO", "WARNING", "ERROR"), "The least severe messages that are logged."
    )

    def all_accounts(self) -> tuple[Account, ...]:
        """Return the configured accounts, the default one first.

        Raises:
            SettingsError: There is none, or both ways of naming them are used.
        """
        if self.accounts and (self.appid or self.secret):
            raise SettingsError(f"set either {PREFIX}ACCOUNTS or {PREFIX}APPID and {PREFIX}SECRET, not both")
        if self.accounts and (self.event_token or self.event_aes_key or self.event_forward_url):
            raise SettingsError(
                f"with {PREFIX}ACCOUNTS, put event_token, event_aes_key and event_forward_url into its entries"
            )
        if self.accounts:
            return self.accounts
        if not (self.appid and self.secret):
            raise SettingsError(
                f"no account is configured: set {PREFIX}APPID and {PREFIX}SECRET "
                "(try the service without one by: wechat-openid demo)"
            )
        return (
            Account(
                self.appid,
                self.secret,
                event_token=self.event_token,
                event_aes_key=self.event_aes_key,
                event_forward_url=self.event_forward_url,
            ),
        )


def secrets_in(config: Path) -> list[str]:
    """Return the names of the secrets that a TOML file of settings holds.

    Raises:
        SettingsError: It cannot be read.
    """
    given = _read_toml(config)
    return [row.name for row in fields(Settings) if not row.repr and given.get(row.name)]


def load_settings(config: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Args:
        config: A TOML file of settings in lower case, such as `listen = "127.0.0.1:8888"`.
        environment: Instead of the process's own environment.

    Raises:
        SettingsError: Some are unknown or cannot be parsed. The text lists all of them.
    """
    environment = os.environ if environment is None else environment
    from_file = _read_toml(config) if config else {}
    rows = fields(Settings)
    problems = [*_unknown_names(environment, from_file, [row.name for row in rows])]
    values: dict[str, Any] = {}
    for row in rows:
        try:
            values[row.name] = row.metadata["parse"](_raw_value(row, environment, from_file))
        except (ValueError, OSError) as error:
            problems.append(f"{PREFIX}{row.name.upper()} must be {error}")
    if values.get("id_token_audience") and not values.get("public_url"):
        problems.append(f"{PREFIX}ID_TOKEN_AUDIENCE needs {PREFIX}PUBLIC_URL, which identity tokens name as issuer")
    if values.get("event_forward_url") and not values.get("event_token"):
        problems.append(f"{PREFIX}EVENT_FORWARD_URL needs {PREFIX}EVENT_TOKEN, by which messages are known as WeChat's")
    if problems:
        raise SettingsError("\n".join(problems))
    return Settings(**values)


def _raw_value(row: "Field[Any]", environment: Mapping[str, str], from_file: Mapping[str, str]) -> str:
    variable = PREFIX + row.name.upper()
    if variable in environment:
        return environment[variable].strip()
    if f"{variable}_FILE" in environment:
        path = environment[f"{variable}_FILE"]
        # It is not quoted: by mistake the variable may hold the secret itself.
        named = f"the file that {variable}_FILE names"
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"readable in {named}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"text in UTF-8 in {named}") from None
        except ValueError:  # a NUL in the path
            raise ValueError(f"readable in {named}") from None
    default: str = row.metadata["default"]
    return from_file.get(row.name, default)


def _read_toml(path: Path) -> dict[str, str]:
    """Read a TOML file into the words that the environment would hold."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from None
    words = {}
    for name, value in content.items():
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            words[name] = ",".join(value)
        elif isinstance(value, list | dict):
            words[name] = json.dumps(value)
        else:
            words[name] = str(value)
    return words


def _unknown_names(environment: Mapping[str, str], from_file: Mapping[str, str], known: list[str]) -> list[str]:
    """Complain of names that mean nothing: a misspelt setting would otherwise be ignored in silence."""
    variables = {f"{PREFIX}{name.upper()}{suffix}" for name in known for suffix in ("", "_FILE")}
    unknown = {
        name: difflib.get_close_matches(name, variables, n=1)
        for name in environment
        if name.startswith(PREFIX) and name not in variables and not _SERVICE_LINK.match(name)
    }
    unknown |= {name: difflib.get_close_matches(name.lower(), known, n=1) for name in from_file if name not in known}
    return [
        f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "") for name, near in unknown.items()
    ]
