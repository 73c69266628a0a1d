"""Every page of the dashboard, as its routes tell: a new one is seen by the tests that look at all of them."""

import re

from tornado.web import RequestHandler

from admin import routes

__all__ = ["every_page"]


#: Without an identity provider there are no such pages; tests of signing in look at them.
_OF_A_PROVIDER = "/admin/sign-in/provider"


def every_page(appid: str, openid: str, job_id: int) -> list[str]:
    """Return an address of each page, downloads left out. A pattern of a new kind wants an example here.

    Args:
        appid: The account whose page is one of them.
        openid: Its user whose page is one of them.
        job_id: The job whose page is one of them.
    """
    examples = {
        r"/admin/users/([^/]+)/([^/]+)": f"/admin/users/{appid}/{openid}",
        r"/admin/jobs/(\d{1,18})": f"/admin/jobs/{job_id}",
        r"/admin/accounts/([A-Za-z0-9_-]{1,64})": f"/admin/accounts/{appid}",
        r"/admin/.*": "/admin/nothing",
    }
    got = [
        pattern
        for pattern, handler in routes._PAGES
        if handler.get is not RequestHandler.get and not pattern.startswith(_OF_A_PROVIDER)
    ]
    addresses = {pattern: examples.get(pattern, pattern) for pattern in got if not pattern.endswith(".csv")}
    assert [pattern for pattern, address in addresses.items() if not re.fullmatch(pattern, address)] == []
    return list(addresses.values())
