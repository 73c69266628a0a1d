"""Addresses of the dashboard: writing one with its query, and telling one from any other address."""

import re
from typing import Any
from urllib.parse import urlencode

from tornado.escape import url_escape

__all__ = ["is_own_path", "link", "user_path"]

#: A path of ours, whatever way it is read, with or without a query.
_OWN_PATH = re.compile(r"/admin/[A-Za-z0-9._~/?&=%+:,@-]{0,2000}")


def link(path: str, *arguments: tuple[str, Any]) -> str:
    """Return an address with a query; arguments that are None or empty are left out."""
    query = urlencode([(name, value) for name, value in arguments if value not in {None, "", b""}])
    return f"{path}?{query}" if query else path


def user_path(appid: str, openid: str) -> str:
    """Return the address of a user's page."""
    return f"/admin/users/{url_escape(appid, plus=False)}/{url_escape(openid, plus=False)}"


def is_own_path(text: str) -> bool:
    """Return whether a text, which may be anything, is a place of the dashboard to which a browser may be sent."""
    return _OWN_PATH.fullmatch(text) is not None
