"""A browser of a test: it keeps cookies, follows no redirect, and says which page it shows."""

import json
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPResponse

PAGE_ORIGIN = "https://h5.example.com"
PAGE = f"{PAGE_ORIGIN}/shop/?id=7#/cart"


@dataclass
class Browser:
    """Requests to the service as a browser would send them. Every address goes to the service under test."""

    client: AsyncHTTPClient
    url: str
    user_agent: str = "MicroMessenger/8.0"
    cookies: dict[str, str] = field(default_factory=dict)

    async def fetch(self, path: str, *, method="GET", body=None, headers=None) -> HTTPResponse:
        sent = {"User-Agent": self.user_agent, **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        address = self.url + path.removeprefix(self.url)
        response = await self.client.fetch(
            address, method=method, body=body, headers=sent, raise_error=False, follow_redirects=False
        )
        for line in response.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["expires"] or morsel["max-age"] == "0":  # only cookies that are taken back have these
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return response

    async def post_code(self, code, *, headers=None, **fields) -> HTTPResponse:
        body = json.dumps({"code": code, **fields}).encode()
        return await self.fetch("/getCode", method="POST", body=body, headers=headers)

    async def begin(self, redirect_uri=PAGE, **arguments) -> str:
        """Begin an authorization and return its state."""
        response = await self.fetch("/authorize?" + urlencode({"redirect_uri": redirect_uri, **arguments}))
        assert response.code == 302, response.body
        return query_of(response.headers["Location"])["state"]


def query_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def reply_of(response: HTTPResponse) -> dict:
    return json.loads(response.body)
