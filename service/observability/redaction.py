"""Keeps secrets, tokens and codes out of the log records of libraries.

WeChat takes them in query strings, so an HTTP library that logs a URL, at whatever level, logs a credential.
"""

import logging
import re
import traceback

__all__ = ["RedactingFilter", "install_redaction", "redact"]

#: Names of credentials. A longer name that ends so is one too (`client_secret`, `WECHAT_OPENID_SECRET_KEYS`) …
_SECRETS = r"(?:[A-Za-z0-9]+_)*(?:secret|secret_keys|appsecret|password|passwd|token|api_key|aes_key|signature)"
#: … but not of `code`: `status_code=200` tells what happened.
_NAMES = rf"(?:{_SECRETS}|code)"

#: `secret=…` in a query, itself percent-encoded or not, but not the end of a longer name (`status_code=200`).
_QUERY_VALUE = re.compile(rf"((?:\b|(?<=%3F)|(?<=%26)){_NAMES}(?:=|%3D))[^&\s\"'<>()\[\]#\\]+", re.IGNORECASE)
#: `access_token='…'` in the repr of an object, and `secret = "…"` in TOML.
_REPR_VALUE = re.compile(rf"""(\b{_NAMES}\s?=\s?b?(["']))(?:(?!\2)(?:\\.|[^\\]))*""", re.IGNORECASE)
#: `"access_token": "…"`, in JSON, in JSON within JSON, and in the repr of a dictionary.
_JSON_VALUE = re.compile(
    rf"""((\\*["']){_NAMES}\2\s*:\s*b?(\\*["']))(?:(?!\3)(?:\\.|[^\\]))*""", re.IGNORECASE | re.DOTALL
)
#: `Authorization: Bearer …` wherever it is quoted.
_BEARER = re.compile(r"\b(Bearer\s+|Authorization['\"]?\s*[:,=]\s*['\"]?Basic\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
#: `Cookie: …` and `Set-Cookie: …` as lines, and in the repr of headers.
_COOKIE_LINE = re.compile(r"\b((?:Set-)?Cookie:\s*)[^'\"\r\n][^\r\n]*", re.IGNORECASE)
_COOKIE_REPR = re.compile(r"""((["'])(?:Set-)?Cookie\2\s*[:,]\s*b?(["']))(?:(?!\3)[^\r\n])*""", re.IGNORECASE)
#: What Tornado says of a cookie that it cannot set.
_COOKIE_REFUSED = re.compile(r"(Invalid cookie )[^\r\n]+")
#: The password of a URL; that of a database or broker may hold an unescaped `@`, `/` or `#`.
_STORE_PASSWORD = re.compile(
    r"\b((?:postgres|postgresql|mysql|mariadb|oracle|mssql|redis|rediss|amqp|mongodb)(?:\+\w+)*://[^\s:/@'\"]*:)"
    r"[^\s'\"]*(@)",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://[^\s:/@'\"?#]*:)[^\s/@'\"?#]*(@)", re.IGNORECASE)
#: An API key of this service.
_API_KEY = re.compile(r"\b(wok_)[A-Za-z0-9_-]{8,}")

#: Each pattern keeps its groups before and behind what it replaces.
_PATTERNS = (
    (_STORE_PASSWORD, r"\1***\2"),
    (_URL_PASSWORD, r"\1***\2"),
    (_COOKIE_LINE, r"\1***"),
    (_COOKIE_REPR, r"\1***"),
    (_COOKIE_REFUSED, r"\1***"),
    (_BEARER, r"\1***"),
    (_REPR_VALUE, r"\1***"),
    (_JSON_VALUE, r"\1***"),
    (_QUERY_VALUE, r"\1***"),
    (_API_KEY, r"\1***"),
)

#: Whoever logs URLs or errors that hold them on the way to WeChat and from the page.
_LOGGERS = (
    "asyncio",
    "requests",
    "tornado.access",
    "tornado.application",
    "tornado.curl_httpclient",
    "tornado.general",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.util.retry",
)


def redact(text: str) -> str:
    """Return the text with the values of secrets, tokens, codes, cookies and passwords replaced by `***`."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class RedactingFilter(logging.Filter):
    """Rewrites log records so that nothing in them holds a secret, a token or a code. Lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the message, its arguments, and the traceback."""
        message = _message_of(record)
        redacted = redact(message)
        if redacted != message:
            record.msg, record.args = redacted, ()
        self._redact_traceback(record)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True

    def _redact_traceback(self, record: logging.LogRecord) -> None:
        if isinstance(record.exc_info, tuple):
            text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            redacted = redact(text)
            if redacted != text:
                # Formatters print the text as it is where there is no exception left to format.
                record.exc_info, record.exc_text = None, redacted
        elif record.exc_text:
            record.exc_text = redact(record.exc_text)


def install_redaction() -> None:
    """Redact what the libraries log. Calling it again changes nothing."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(installed, RedactingFilter) for installed in logger.filters):
            logger.addFilter(RedactingFilter())


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a record that cannot be formatted is printed to stderr, arguments and all
        record.msg, record.args = f"{record.msg!r} % {record.args!r}", ()
        return record.msg
