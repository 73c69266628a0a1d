"""Every setting: one table of names, defaults, meanings and parsers."""

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from service.settings.accounts import parse_accounts
from service.settings.addresses import (
    Address,
    Network,
    parse_address,
    parse_admin_url,
    parse_event_forward_url,
    parse_host_names,
    parse_http_url,
    parse_http_urls,
    parse_networks,
    parse_origins,
    parse_proxy,
    parse_public_url,
)
from service.settings.rows import setting as _setting
from service.settings.sign_in import SignInSettings
from service.settings.sources import PREFIX, SettingsError
from service.settings.values import (
    HttpServerName,
    number_from,
    one_of,
    parse_appid,
    parse_counters,
    parse_event_aes_key,
    parse_flag,
    parse_http_server,
    parse_optional_file,
    parse_optional_folder,
    parse_rate_limit,
    parse_time_zone,
    parse_transport,
    plain_text,
)
from service.wechat.protocol import Account, AccountKind
from service.wechat.transports import TransportName

__all__ = ["Settings"]


@dataclass(frozen=True, kw_only=True)
class _ServiceSettings:
    """The settings but for how operators sign in."""

    appid: str = _setting("", parse_appid, "The AppID of your Official Account.", quotable=True)
    secret: str = _setting("", plain_text, "Its AppSecret. It never leaves the server.", secret=True)
    accounts: tuple[Account, ...] = _setting(
        "",
        parse_accounts,
        'Several accounts instead of one: a JSON list of {"appid", "secret", "name", "kind", "outside_wechat", '
        '"event_token", "event_aes_key", "event_forward_url"}; all but the first two are optional. The first account '
        "is the default. `kind` is `official`, or `website` for a website application (网站应用); `outside_wechat` is "
        "the appid of the one to which other browsers than WeChat's are sent.",
        secret=True,
    )
    database_url: str = _setting(
        "sqlite:///var/wechat-openid.db",
        plain_text,
        "Where authorizations are kept, as an SQLAlchemy URL.",
        secret=True,
        needs_restart=True,
    )
    token_store: str = _setting(
        "sql",
        plain_text,
        "Which token store keeps them; `wechat-openid stores` lists the names.",
        needs_restart=True,
    )
    token_store_url: str = _setting(
        "",
        plain_text,
        "Where that store keeps them, if not in `DATABASE_URL`, such as a store that is not SQL.",
        secret=True,
        needs_restart=True,
    )
    secret_keys: str = _setting(
        "",
        plain_text,
        "Keys that seal the tokens, newest first, separated by commas. Empty: the file `var/secret-keys`, "
        "made at the first start; keep a copy of it apart from the database.",
        secret=True,
    )
    listen: Address = _setting(
        "127.0.0.1:8888", parse_address, "Where pages reach the service.", quotable=True, needs_restart=True
    )
    admin_listen: Address = _setting(
        "127.0.0.1:8889",
        parse_address,
        "Where operators and other backends reach it. Keep it private.",
        quotable=True,
        needs_restart=True,
    )
    http_server: HttpServerName | None = _setting(
        "",
        parse_http_server,
        "What serves both: `llhttp` (fast) or `tornado` (portable). Empty: llhttp where httptools is installed.",
        quotable=True,
    )
    public_url: str = _setting(
        "",
        parse_public_url,
        "The service's address as browsers see it. With https:// the session cookie is Secure.",
        quotable=True,
    )
    admin_url: str = _setting(
        "",
        parse_admin_url,
        "The dashboard's address as browsers see it, without a path. Empty: the one that a request was sent to, or "
        "what a trusted proxy says, with a host of ADMIN_HOSTS. With https:// its cookies are Secure.",
        quotable=True,
    )
    admin_timezone: ZoneInfo = _setting(
        "UTC",
        parse_time_zone,
        "The time zone of the dashboard where the browser runs no script, such as `Asia/Shanghai`. With script it is "
        "the viewer's own.",
        quotable=True,
    )
    admin_hosts: tuple[str, ...] = _setting(
        "",
        parse_host_names,
        "Further names by which programs may ask ADMIN_LISTEN, without a port, separated by commas, such as "
        "`wechat-openid`. Addresses in numbers, `localhost` and ADMIN_URL's host always may; other names get 421.",
        quotable=True,
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        "",
        parse_networks,
        "Proxies whose X-Forwarded-For, -Proto and -Host, Forwarded and X-Real-IP are believed: addresses or networks, "
        "separated by commas. Name all that stand in front.",
        quotable=True,
    )
    allowed_origins: tuple[str, ...] = _setting(
        "",
        parse_origins,
        "Origins of the pages that may use the service and be returned to, separated by commas, such as "
        "`https://h5.example.com`. That of PUBLIC_URL always may.",
        quotable=True,
    )
    require_state: bool = _setting(
        "false",
        parse_flag,
        "Refuse codes that come without a `state` of GET /authorize. Pages must begin there.",
        quotable=True,
    )
    profile_cache_seconds: int = _setting(
        "86400",
        number_from(int, 0, 30 * 86_400),
        "How long a profile is shown before WeChat is asked for it again.",
        quotable=True,
    )
    verification_files: Path | None = _setting(
        "", parse_optional_folder, "A folder of `MP_verify_….txt` files, which are served at the root.", quotable=True
    )
    id_token_audience: str = _setting(
        "",
        plain_text,
        "Whom identity tokens (`id_token`) are made for: a name of your page's backend. Needs PUBLIC_URL, their "
        "issuer. Empty: none are made.",
    )
    event_token: str = _setting(
        "", plain_text, "The token that WeChat signs pushed events with. Empty: events are not taken.", secret=True
    )
    event_aes_key: str = _setting(
        "",
        parse_event_aes_key,
        "The EncodingAESKey of pushed events. With it, events that are not encrypted are refused. While the key is "
        "changed: the new one and the last one, separated by a comma.",
        secret=True,
    )
    event_forward_url: str = _setting(
        "",
        parse_event_forward_url,
        "Your own server for what users write to the account: everything that WeChat pushes is passed on to it, and "
        "its replies go back. https://, or http:// in a private network.",
        secret=True,
    )
    wechat_api_url: str = _setting(
        "https://api.weixin.qq.com",
        parse_http_urls,
        "WeChat's API. Further addresses, separated by commas, such as `https://api2.weixin.qq.com`, are asked while "
        "those before them do not answer.",
        quotable=True,
    )
    wechat_authorize_url: str = _setting(
        "https://open.weixin.qq.com/connect/oauth2/authorize", parse_http_url, "WeChat's authorize page.", quotable=True
    )
    wechat_qrconnect_url: str = _setting(
        "https://open.weixin.qq.com/connect/qrconnect", parse_http_url, "WeChat's page for websites.", quotable=True
    )
    outside_wechat: str = _setting(
        "",
        one_of("explain", "pass", ""),
        "What GET /authorize of an official account does in another browser than WeChat's: `explain` shows a page "
        "with the address as a QR code, `pass` goes to WeChat's page all the same. Empty: as `explain` where "
        "WECHAT_AUTHORIZE_URL is WeChat's own, else as `pass`. The `outside_wechat` of an account goes before, "
        "except with `pass`.",
        quotable=True,
    )
    wechat_transport: TransportName | None = _setting(
        "", parse_transport, "`curl` (fast) or `requests` (portable). Empty: curl where it is installed.", quotable=True
    )
    wechat_timeout_seconds: float = _setting(
        "4",
        number_from(float, 0.1, 4.9),
        "How long one call to WeChat may take. A page gives up after 5 seconds.",
        quotable=True,
    )
    wechat_ca_file: str = _setting(
        "",
        parse_optional_file,
        "Certificate authorities to trust for WeChat, where a proxy on the way has its own. Empty: the usual.",
        quotable=True,
    )
    wechat_proxy: str = _setting(
        "",
        parse_proxy,
        "A proxy for calls to WeChat alone, such as `http://user:password@10.0.0.5:3128`, by which they leave from an "
        "address that does not change. Empty: none, whatever the environment names.",
        secret=True,
    )
    wechat_max_connections: int = _setting(
        "128",
        number_from(int, 1, 4096),
        "Connections to WeChat that each process may have open at once.",
        quotable=True,
    )
    workers: int = _setting(
        "1", number_from(int, 1, 128), "Processes that share the ports.", quotable=True, needs_restart=True
    )
    refresh_every_seconds: float = _setting(
        "10", number_from(float, 0.1, 3600), "How often each process looks for tokens that are due.", quotable=True
    )
    refresh_ahead_seconds: int = _setting(
        "600",
        number_from(int, 0, 3600),
        "How long before its end a token is refreshed, but at most a tenth of its life.",
        quotable=True,
    )
    refresh_active_within_days: int = _setting(
        "7",
        number_from(int, 0, 30),
        "Keep the tokens of users seen within so many days fresh. 0: refresh on use only.",
        quotable=True,
    )
    refresh_concurrency: int = _setting(
        "16", number_from(int, 1, 1000), "Scheduled refreshes under way at once in each process.", quotable=True
    )
    refresh_max_per_second: float = _setting(
        "50",
        number_from(float, 0.1, 10_000),
        "Scheduled refreshes a second for each account in each process.",
        quotable=True,
    )
    rate_limit: str = _setting(
        "600/minute",
        parse_rate_limit,
        "Exchanges one client address may ask for, authorizations it may begin, and profiles; a /24 of IPv4 and a /48 "
        "of IPv6 may have ten times as many, the profile of one user a tenth. A code that WeChat refuses counts as "
        "ten. Empty: no limit.",
        quotable=True,
    )
    exchange_budget: int = _setting(
        "40000",
        number_from(int, 0, 10_000_000),
        "Exchanges a minute for each account, below the 50,000 that WeChat allows. Half is for anybody, the rest for "
        "visitors who come by GET /authorize, have a session or an address that signed in lately. 0: no limit.",
        quotable=True,
    )
    rate_limit_storage: str = _setting(
        "async+memory://",
        parse_counters,
        "Where these are counted: in each process, or for all of them in `async+redis://host:6379`.",
        secret=True,
    )
    audit_retention_days: int = _setting(
        "365", number_from(int, 0, 36_500), "How long the dashboard's audit log is kept. 0: for ever.", quotable=True
    )
    log_format: str = _setting("text", one_of("text", "json"), "`text` for people, `json` for machines.", quotable=True)
    log_level: str = _setting(
        "INFO", one_of("DEBUG", "INFO", "WARNING", "ERROR"), "The least severe messages that are logged.", quotable=True
    )

    access_log: bool = _setting(
        "false",
        parse_flag,
        "Log a line for each request: the client's address, method, path, status, milliseconds and request id.",
        quotable=True,
    )

    def authorize_pages(self) -> dict[AccountKind, str]:
        """Return WeChat's authorize page for each kind of account."""
        return {AccountKind.OFFICIAL: self.wechat_authorize_url, AccountKind.WEBSITE: self.wechat_qrconnect_url}

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
        account = Account(
            self.appid,
            self.secret,
            event_token=self.event_token,
            event_aes_key=self.event_aes_key,
            event_forward_url=self.event_forward_url,
        )
        return (account,)


@dataclass(frozen=True, kw_only=True)
class Settings(SignInSettings, _ServiceSettings):
    """The settings, parsed. Each field is a row of the table; its name in capitals is the setting's name."""
