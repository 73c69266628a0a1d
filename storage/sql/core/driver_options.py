"""The options of DATABASE_URL: each is read as what its driver wants, or refused in a sentence.

Clouds give out addresses that were written for other languages' drivers. What these call TLS is understood; what tells
them how to show values means nothing here and is passed over; anything else is refused, because an option that nobody
heeds is worse than none. A refusal names options that are known here, and quotes nothing of the URL.
"""

import json
import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["mysql_options", "postgresql_options", "sqlite_options"]

Query = Mapping[str, Any]
Reader = Callable[[str], Any]

#: What TLS may be, from none to one that makes sure of the server's name, in MySQL's words and in libpq's.
DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY = "disable", "prefer", "require", "verify-ca", "verify-full"
_MODES = {
    "disable": DISABLED,
    "disabled": DISABLED,
    "allow": PREFERRED,
    "prefer": PREFERRED,
    "preferred": PREFERRED,
    "require": REQUIRED,
    "required": REQUIRED,
    "verify-ca": VERIFY_CA,
    "verify-full": VERIFY_IDENTITY,
    "verify-identity": VERIFY_IDENTITY,
    # of Go's driver and Prisma's
    "skip-verify": REQUIRED,
    "accept-invalid-certs": REQUIRED,
    "strict": VERIFY_IDENTITY,
    "true": REQUIRED,
    "1": REQUIRED,
    "yes": REQUIRED,
    "false": DISABLED,
    "0": DISABLED,
    "no": DISABLED,
}
#: Names under which drivers of several languages take such a word.
_MODE_NAMES = ("sslmode", "ssl-mode", "ssl_mode", "sslMode", "ssl", "tls", "useSSL", "requireSSL", "sslaccept")

#: What tells other languages' drivers how to show values or how to send statements. It changes nothing here.
_MEANINGLESS = frozenset(
    {
        *("allowMultiQueries", "allowNativePasswords", "allowPublicKeyRetrieval", "autoReconnect", "cachePrepStmts"),
        *("clientFoundRows", "connectionTimeZone", "connection_limit", "interpolateParams", "loc", "multiStatements"),
        *("nullCatalogMeansCurrent", "parseTime", "pool_timeout", "rewriteBatchedStatements", "serverTimezone"),
        *("time_zone", "timezone", "tinyInt1isBit", "useLegacyDatetimeCode", "useServerPrepStmts", "useUnicode"),
        *("uselibpqcompat", "zeroDateTimeBehavior"),
    }
)


def sqlite_options(query: Query) -> dict[str, Any]:
    """Return the options of sqlite3, typed."""
    readers: dict[str, Reader] = {
        "timeout": _seconds,
        "uri": _boolean,
        "check_same_thread": _boolean,
        "cached_statements": _number,
    }
    # With `uri`, what follows is SQLite's own and part of the file's name.
    names = dict.fromkeys(("mode", "cache", "immutable", "psow", "vfs", "nolock"), str) if "uri" in query else {}
    return _read(query, {**readers, **names})


def postgresql_options(query: Query) -> dict[str, Any]:
    """Return the options of psycopg and libpq, typed."""
    # libpq knows best which options it has.
    from psycopg import pq  # noqa: PLC0415 - only here, where the driver is installed

    of_libpq = {option.keyword.decode() for option in pq.Conninfo.get_defaults()} - {"host", "hostaddr", "port"}
    readers: dict[str, Reader] = dict.fromkeys(of_libpq, str)
    readers |= _OF_TLS
    readers |= dict.fromkeys(
        ("connect_timeout", "tcp_user_timeout", *(name for name in of_libpq if name.startswith("keepalives"))), _number
    )
    readers |= {
        "prepare_threshold": _threshold,
        "pgbouncer": lambda text: None if _boolean(text) else 5,
        "charset": _charset,
        "client_encoding": lambda text: _charset(text) and "utf8",
        "target_session_attrs": _one_of("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
        "load_balance_hosts": _one_of("disable", "random"),
    }
    found = _read(query, readers)
    mode = _mode(found)
    if mode is not None:
        found["sslmode"] = query["sslmode"] if query.get("sslmode") == "allow" else mode
    if "pgbouncer" in found:
        found.setdefault("prepare_threshold", found["pgbouncer"])
    return {name: value for name, value in found.items() if name in of_libpq or name == "prepare_threshold"}


def mysql_options(query: Query) -> dict[str, Any]:
    """Return the options of PyMySQL, typed; whatever is said of TLS as one `ssl`."""
    readers: dict[str, Reader] = {
        **_OF_TLS,
        **dict.fromkeys(("charset", "characterEncoding"), _charset),
        "collation": _collation,
        **dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), _seconds),
        **dict.fromkeys(("timeout", "readTimeout", "writeTimeout"), _duration),
        **dict.fromkeys(("connectTimeout", "socketTimeout"), _milliseconds),
        **dict.fromkeys(("client_flag", "max_allowed_packet"), _number),
        **dict.fromkeys(("unix_socket", "bind_address", "program_name", "server_public_key", "sql_mode"), str),
        **dict.fromkeys(("read_default_file", "read_default_group"), str),
        **dict.fromkeys(("ssl_cipher", "ssl_key_password"), str),
        **dict.fromkeys(("ssl_ca", "ssl-ca", "sslrootcert", "ssl_capath"), _path),
        **dict.fromkeys(("ssl_cert", "ssl-cert", "sslcert", "ssl_key", "ssl-key", "sslkey"), _path),
        **dict.fromkeys(("ssl_check_hostname", "ssl_verify_cert", "ssl_verify_identity", "ssl_disabled"), _boolean),
        **dict.fromkeys(("local_infile", "verifyServerCertificate"), _boolean),
    }
    found = _read(query, readers)
    for name, ours in (
        ("characterEncoding", "charset"),
        ("timeout", "connect_timeout"),
        ("connectTimeout", "connect_timeout"),
        ("readTimeout", "read_timeout"),
        ("socketTimeout", "read_timeout"),
        ("writeTimeout", "write_timeout"),
        *((name, "ssl_ca") for name in ("ssl-ca", "sslrootcert")),
        *((name, "ssl_cert") for name in ("ssl-cert", "sslcert")),
        *((name, "ssl_key") for name in ("ssl-key", "sslkey")),
    ):
        if name in found:
            found.setdefault(ours, found.pop(name))
    tls = {name: found.pop(name) for name in list(found) if name.startswith(("ssl", "verify")) or name in _MODE_NAMES}
    return {**found, **_mysql_tls(tls)}


def _mysql_tls(said: dict[str, Any]) -> dict[str, Any]:
    """Return what PyMySQL is given for TLS: nothing where nothing is said, which takes TLS where the server has it."""
    mode, ca = _mode(said), said.get("ssl_ca") or said.get("ssl_capath")
    if said.get("ssl_disabled"):
        mode = DISABLED
    if mode == DISABLED:
        if ca or said.get("ssl_cert"):
            raise ValueError("DATABASE_URL both switches TLS off and names certificates for it.")
        return {"ssl_disabled": True}
    verifies = {said.get("ssl_verify_cert"), said.get("verifyServerCertificate")}
    if said.get("ssl_verify_identity") or (ca and mode is None and said.get("ssl_verify_cert") is None):
        mode = VERIFY_IDENTITY
    elif True in verifies and mode not in {VERIFY_CA, VERIFY_IDENTITY}:
        mode = VERIFY_CA
    if mode == VERIFY_IDENTITY and said.get("ssl_check_hostname") is False:
        mode = VERIFY_CA
    if mode in {None, PREFERRED} and not said.keys() & {"ssl_cert", "ssl_cipher", "ssl_ca", "ssl_capath"}:
        return {}
    return {"ssl": _context(mode, said)}


def _context(mode: str | None, said: dict[str, Any]) -> ssl.SSLContext:
    failure: str | None = None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == VERIFY_IDENTITY
    context.verify_mode = ssl.CERT_REQUIRED if mode in {VERIFY_CA, VERIFY_IDENTITY} else ssl.CERT_NONE
    try:
        if said.get("ssl_ca") or said.get("ssl_capath"):
            context.load_verify_locations(said.get("ssl_ca"), said.get("ssl_capath"))
        else:
            context.load_default_certs()
        if said.get("ssl_cert"):
            context.load_cert_chain(said["ssl_cert"], said.get("ssl_key"), said.get("ssl_key_password"))
        if said.get("ssl_cipher"):
            context.set_ciphers(said["ssl_cipher"])
    except (ssl.SSLError, OSError) as error:
        failure = type(error).__name__
    if failure:
        raise ValueError(f"The certificates, key or ciphers that DATABASE_URL names cannot be used ({failure}).")
    return context


def _read(query: Query, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Read each option by its reader.

    Raises:
        ValueError: There is no reader, or it refuses the value. The text names options that are known only.
    """
    found = {}
    for place, (name, value) in enumerate((one for one in query.items() if one[0] not in {"host", "port"}), 1):
        if name in _MEANINGLESS:
            continue
        if name not in readers:
            known = ", ".join(sorted(readers))
            raise ValueError(f"Option {place} of DATABASE_URL is not one that is known here. These are: {known}.")
        failure = None
        try:
            if not isinstance(value, str):
                raise ValueError("a value given once")  # noqa: TRY004, TRY301 - said as the others are
            found[name] = readers[name](value)
        except ValueError as error:
            failure = str(error)
        if failure:
            raise ValueError(f"The option {name} of DATABASE_URL must be {failure}.")
    return found


def _mode(found: dict[str, Any]) -> str | None:
    """Take the options that say what TLS is to be, and return the strictest; None where none says it.

    Raises:
        ValueError: One wants TLS, and one wants none.
    """
    modes = {found.pop(name) for name in _MODE_NAMES if name in found}
    if len(modes) > 1 and DISABLED in modes:
        raise ValueError("DATABASE_URL switches TLS off and on at once.")
    return max(modes, key=(DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY).index, default=None)


def _tls_mode(text: str) -> str:
    """Read a word of any driver, or the JSON of Node's."""
    if text.startswith("{"):
        try:
            checks = json.loads(text).get("rejectUnauthorized", True)
        except (ValueError, AttributeError):
            checks = True
        return VERIFY_IDENTITY if checks else REQUIRED
    mode = _MODES.get(text.lower().replace("_", "-"))
    if mode is None:
        raise ValueError("one of disable, prefer, require, verify-ca, verify-full")
    return mode


def _boolean(text: str) -> bool:
    word = text.lower()
    if word in {"true", "1", "yes", "on"}:
        return True
    if word in {"false", "0", "no", "off"}:
        return False
    raise ValueError("true or false")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError("a whole number")
    return int(text)


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{1,8}(\.\d{1,6})?", text, re.ASCII) or float(text) == 0:
        raise ValueError("a number of seconds above 0")
    return float(text)


def _milliseconds(text: str) -> float:
    return _seconds(text) / 1000


def _duration(text: str) -> float:
    number, unit = re.fullmatch(r"(.*?)(ms|s|m)?", text, re.DOTALL).groups()  # type: ignore[union-attr] # fits any text
    return _seconds(number) * {"ms": 0.001, "m": 60}.get(unit, 1)


def _threshold(text: str) -> int | None:
    if text.lower() in {"none", "null", ""}:
        return None
    try:
        return _number(text)
    except ValueError:
        raise ValueError("none, behind a pooler that shares sessions, or a whole number") from None


def _charset(text: str) -> str:
    if text.lower().replace("-", "") not in {"utf8", "utf8mb3", "utf8mb4", "unicode"}:
        raise ValueError("utf8mb4, or utf8, by which the same is meant: names are in every script")
    return "utf8mb4"


def _collation(text: str) -> str:
    if not re.fullmatch(r"utf8mb4_\w+", text, re.ASCII):
        raise ValueError("one of utf8mb4")
    return text


def _path(text: str) -> str:
    if not Path(text).exists():
        raise ValueError("the path of a file that is there")
    return text


def _one_of(*words: str) -> Reader:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return text

    return read


#: Readers of what TLS is to be. To Go's driver alone `true` means that the server's name is made sure of.
_OF_TLS: dict[str, Reader] = {
    **dict.fromkeys(_MODE_NAMES, _tls_mode),
    "tls": lambda text: VERIFY_IDENTITY if text == "true" else _tls_mode(text),
}
