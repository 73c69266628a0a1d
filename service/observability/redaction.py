"""Keeps secrets, tokens and codes out of the log records of libraries.

WeChat takes them in query strings, so an HTTP library that logs a URL, at whatever level, logs a credential.
"""

import logging
import re
import traceback

__all__ = ["RedactingFilter", "install_redaction", "redact"]

_NAMES = "secret|appsecret|code|access_token|refresh_token|signature|msg_signature"
#: `secret=…` in a query, itself percent-encoded or not, but not the end of a longer name (`status_code=200`).
_QUERY_VALUE = re.compile(rf"((?:\b|(?<=%3F)|(?<=%26))(?:{_NAMES})(?:=|%3D))[^&\s\"'<>()\[\]#\\]*", re.IGNORECASE)
#: `"access_token": "…"`, in JSON and in the repr of a dictionary.
_JSON_VALUE = re.compile(rf"""((["'])(?:{_NAMES})\2\s*:\s*(["']))[^"']*""", re.IGNORECASE)

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
    """Return the text with the values of secrets, tokens and codes replaced by `***`."""
    return _JSON_VALUE.sub(r"\1***", _QUERY_VALUE.sub(r"\1***", text))


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
