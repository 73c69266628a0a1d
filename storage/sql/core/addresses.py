"""DATABASE_URL: reading it, several hosts included, and saying what is wrong with it without a word of it."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import URL, exc, make_url

from storage.base.addresses import credentials_and_rest, unescaped_at

__all__ = ["Host", "hosts_of", "parse_url", "place_of", "sqlite_file"]

HOW_TO_WRITE_IT = (
    "Write it as sqlite:///var/wechat-openid.db or postgresql://user:password@host/name, special characters in the "
    "password percent-encoded."
)
LARGEST_PORT = 65_535

#: Names that people use, and what SQLAlchemy calls them.
_ALIASES = {"postgres": "postgresql"}

#: A host's name and its port; None is the port that the database is known by.
Host = tuple[str, int | None]


def parse_url(url: str) -> URL:
    """Read a URL. Several hosts, as in `postgresql://h1:5432,h2:5433/name`, become options `host` of it.

    Raises:
        ValueError: It cannot be read. The text says which part is wrong, and holds none of it.
    """
    about_at = unescaped_at(url)
    if about_at:
        raise ValueError(f"DATABASE_URL cannot be read: {about_at}.")
    single, hosts = _without_hosts(url)
    address: URL | None = None
    with suppress(exc.ArgumentError, ValueError):  # their texts may hold a part of the URL
        address = make_url(single)
    if address is None:
        raise ValueError(f"DATABASE_URL cannot be read: {_wrong_part(single)}. {HOW_TO_WRITE_IT}")
    if hosts:
        address = address.update_query_dict({"host": [_written(host) for host in hosts]})
    if any(port is not None and not 0 < port <= LARGEST_PORT for _, port in hosts_of(address)):
        raise ValueError("DATABASE_URL cannot be read: a port is not a number from 1 to 65535.")
    backend, plus, driver = address.drivername.partition("+")
    return address.set(drivername=f"{_ALIASES.get(backend, backend)}{plus}{driver}")


def hosts_of(address: URL) -> list[Host]:
    """Return the hosts of a URL in the order in which they are tried; none for a file or a socket."""
    several = address.query.get("host")
    if several is None:
        return [(address.host, address.port)] if address.host else []
    return [_host(one) for one in ([several] if isinstance(several, str) else several)]


def place_of(address: URL, hosts: Sequence[Host]) -> str:
    """Return what a database is and where, for messages."""
    where = ", ".join(map(_written, hosts)) or address.database or "its default place"
    return f"{address.get_backend_name()} at {where}"


def sqlite_file(url: str) -> Path | None:
    """Return the absolute path of the SQLite file that a URL names; None where it names another database.

    Raises:
        ValueError: The URL cannot be read.
    """
    address = parse_url(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        return None
    return Path(address.database.removeprefix("file:")).absolute()


def _without_hosts(url: str) -> tuple[str, list[Host]]:
    """Take several hosts out of a URL; one host is left in."""
    scheme = url.partition("://")[0]
    credentials, place = credentials_and_rest(url)
    ends = min((place.index(one) for one in "/?" if one in place), default=len(place))
    hosts = place[:ends]
    if "," not in hosts:
        return url, []
    return f"{scheme}://{credentials}{'@' if credentials else ''}{place[ends:]}", [
        _host(one) for one in hosts.split(",")
    ]


def _written(host: Host) -> str:
    name, port = host
    name = f"[{name}]" if ":" in name else name
    return name if port is None else f"{name}:{port}"


def _host(text: str) -> Host:
    """Read `name`, `name:port`, `[address]` or `[address]:port`; a port that is none becomes 0."""
    name, _, port = text.rpartition(":") if ":" in text and not text.endswith("]") else (text, "", "")
    return name.strip("[]"), (int(port) if port.isdecimal() else 0) if port else None


def _wrong_part(url: str) -> str:
    """Return which part of a URL cannot be read."""
    scheme, separator, _ = url.partition("://")
    if not separator or not scheme:
        return "it does not begin with the name of a database and ://"
    if not all(one.isalnum() or one in "+_" for one in scheme):
        return "what stands before :// is no name of a database"
    return "what follows the host is no port"
