"""Every answer of the dashboard is protected: pages, redirects, static files and refusals, whatever the method."""

import re

import pytest

from admin.routes import make_admin_routes

PROTECTION = {
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")


def example_of(pattern):
    """Return an address that a route takes."""
    path = re.sub(r"\(\?:([^)]*)\)\?", r"\1", pattern)
    path = re.sub(r"\((\w+)\|[^)]*\)", r"\1", path)
    path = re.sub(r"\([^)]*\)", "1", path).replace(".*", "nothing").replace("\\", "")
    assert re.fullmatch(pattern, path), pattern
    return path


@pytest.mark.attack(
    "operators' side",
    "a web page in an operator's browser",
    "framing an answer, reading it as another type, loading it into a page",
    "every answer of every route forbids it",
)
@pytest.mark.gen_test(timeout=200)
async def test_every_answer_of_every_route_is_protected(http, signed_in, browser, dashboard, subtests):
    paths = [*(example_of(pattern) for pattern, *_ in make_admin_routes(dashboard)), "/admin/static/admin.js", "/"]
    for who in (browser, signed_in()):
        for path in paths:
            if path == "/admin/sign-out":
                continue
            for method in METHODS:
                cookie = "; ".join(f"{name}={value}" for name, value in who.cookies.items())
                answer = await http.fetch(
                    who.url + path,
                    method=method,
                    headers={"Cookie": cookie} if cookie else {},
                    allow_nonstandard_methods=True,
                    follow_redirects=False,
                    raise_error=False,
                )
                with subtests.test(path=path, method=method, status=answer.code):
                    assert answer.code < 500
                    assert {name: answer.headers.get(name, "")[:18] for name in PROTECTION} == PROTECTION
