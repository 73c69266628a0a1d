"""What addresses may be that settings hold: where to listen, URLs, origins, hosts and networks.

Each parser reads a text, or raises a ValueError that says what it must be and repeats nothing of the text: it may be a
secret that was put in the wrong place.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import idna

from service.http.origins import parse_origin

__all__ = [
    "Address",
    "Network",
    "parse_address",
    "parse_admin_url",
    "parse_event_forward_url",
    "parse_host_names",
    "parse_http_url",
    "parse_http_urls",
    "parse_networks",
    "parse_origins",
    "parse_proxy",
    "parse_public_url",
]

#: As containers and name servers have them.
_HOST_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
#: How names end that no public name server knows (RFC 2606, 6762, 8375, ICANN's `internal`, and Kubernetes).
_PRIVATE_NAMES = (".internal", ".local", ".localhost", ".home.arpa", ".test", ".svc")
_SUCH_AS_WECHATS = "such as https://api.weixin.qq.com"
_TWO_API_URLS = "https://api.weixin.qq.com,https://api2.weixin.qq.com"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read `host:port`; the host of an IPv6 address stands in brackets.

    Raises:
        ValueError: It is not of that form; the text says what is.
    """
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdecimal() or not 0 <= int(port) <= 65535:  # noqa: PLR2004 - the last port
        raise ValueError("host:port, such as 127.0.0.1:8888")
    return Address(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - asked for by leaving the host out


def parse_http_url(text: str) -> str:
    """Read an address; a host in other letters, such as 例子.中国, becomes what name servers know it by."""
    try:
        text = _with_ascii_host(text)
        parts = urlsplit(text)
        names_host = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        # Such an address is shown to pages, logs and other servers.
        names_host = names_host and "@" not in parts.netloc
    except ValueError:  # a port that is not a number, or half a pair of brackets
        names_host = False
    if not names_host or "?" in text or "#" in text:
        raise ValueError(f"an http:// or https:// URL without user name, query and fragment, {_SUCH_AS_WECHATS}")
    return text.rstrip("/")


def _with_ascii_host(url: str) -> str:
    """Return an address with its host as browsers write it (https://www.unicode.org/reports/tr46/).

    Raises:
        ValueError: It has a host that no name server can know.
    """
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    if authority.isascii():
        return url
    host, colon, port = authority.partition(":")
    return f"{scheme}{separator}{idna.encode(host, uts46=True).decode()}{colon}{port}{slash}{path}"


def parse_http_urls(text: str) -> str:
    """Read one or more addresses, separated by commas, the same one only once."""
    try:
        return ",".join(
            dict.fromkeys(parse_http_url(word.strip()) for word in text.split(",") if word.strip() or text == word)
        )
    except ValueError as error:
        raise ValueError(f"{error}; further ones separated by commas, such as {_TWO_API_URLS}") from None


def parse_public_url(text: str) -> str:
    """Read an address at which browsers find something, or nothing. Its host stands as they write it in an origin."""
    if not text:
        return ""
    expected = (
        "an http:// or https:// URL without user name, query and fragment, its host as browsers write it: "
        "such as https://h5.example.com or http://192.168.0.7:8888"
    )
    try:
        url = parse_http_url(text)
        parts = urlsplit(url)
        host = parts.hostname or ""
        if ":" in host or host.rpartition(".")[2].isdecimal():
            number = ipaddress.ip_address(host)  # browsers read 127.1, and write 127.0.0.1
            url = url.replace(parts.netloc, parts.netloc.lower().replace(host, str(number)), 1)
        parse_origin(url[: len(parts.scheme) + 3] + urlsplit(url).netloc)
    except ValueError:
        raise ValueError(expected) from None
    return url


def parse_admin_url(text: str) -> str:
    """Read the address of the dashboard, which browsers compare with what they call its origin."""
    url = parse_public_url(text)
    if urlsplit(url).path:
        raise ValueError("an http:// or https:// URL without a path, such as https://admin.example.com")
    return url


def parse_origins(text: str) -> tuple[str, ...]:
    """Read origins separated by commas; a slash at the end of one does no harm."""
    words = [word.strip().removesuffix("/") for word in text.split(",") if word.strip()]
    try:
        return tuple(dict.fromkeys(parse_origin(_with_ascii_host(word)) for word in words))
    except ValueError:
        raise ValueError("origins separated by commas, such as https://h5.example.com,http://localhost:5173") from None


def parse_host_names(text: str) -> tuple[str, ...]:
    """Read names of hosts separated by commas."""
    names = tuple(word.strip().lower() for word in text.split(",") if word.strip())
    if not all(_HOST_NAME.fullmatch(name) for name in names):
        raise ValueError("host names without a port, separated by commas, such as wechat-openid,admin.example.com")
    return names


def parse_event_forward_url(text: str) -> str:
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


def parse_proxy(text: str) -> str:
    """Read the address of an HTTP proxy, with or without a user name and a password (percent-encoded)."""
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        is_proxy = parts.scheme == "http" and parts.hostname and parts.port and not parts.path.strip("/")
    except ValueError:
        is_proxy = False
    if not is_proxy or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(
            "the http:// address of a proxy with its port, such as http://10.0.0.5:3128 or "
            "http://user:password@10.0.0.5:3128, where other characters in the password are written as in %40"
        )
    return text.rstrip("/")


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read addresses and networks separated by commas."""
    expected = "addresses or networks separated by commas, such as 127.0.0.1,10.0.0.0/8"
    words = [word.strip() for word in text.split(",") if word.strip()]
    try:
        networks = [(word, ipaddress.ip_network(word, strict=False)) for word in words]
    except ValueError:
        raise ValueError(expected) from None
    for word, network in networks:
        if ipaddress.ip_interface(word).ip != network.network_address:
            raise ValueError(f"{expected} (without host bits: {network})")
    return tuple(network for _, network in networks)
