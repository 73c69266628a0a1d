"""Logging: one handler on standard error, in text or JSON, secrets redacted, repetitions counted."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

from service.observability.redaction import RedactingFilter, install_redaction
from service.observability.repetitions import Repetitions

__all__ = ["configure_logging"]

_FIELDS = "%(asctime)s %(levelname)s %(process)d %(name)s %(message)s"


def configure_logging(log_format: str, log_level: str) -> None:
    """Set up the process's logging anew.

    Args:
        log_format: `text` or `json`.
        log_level: The least severe level that is written.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(_FIELDS) if log_format == "json" else logging.Formatter(_FIELDS))
    handler.addFilter(Repetitions(handler.handle))
    # The transports redact what their libraries log; this one stands behind everything else.
    handler.addFilter(RedactingFilter())
    install_redaction()
    logging.basicConfig(level=log_level, handlers=[handler], force=True)
    # Alembic tells each of its steps at INFO; whoever makes or changes tables says in one line what came of it.
    logging.getLogger("alembic").setLevel(logging.NOTSET if log_level == "DEBUG" else logging.WARNING)
