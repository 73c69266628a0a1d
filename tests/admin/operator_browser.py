"""A browser without script: keeps cookies, fills in forms, names its origin."""

import re
from html import unescape
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPResponse

_TOKEN = re.compile(r'name="_xsrf" value="([^"]*)"')
_NOTICE = re.compile(r'<div class="notice (?:good|bad)" role="status"[^>]*>(.*?)</div>', re.DOTALL)


class OperatorBrowser:
    """Asks the dashboard as a browser would."""

    def __init__(self, client: AsyncHTTPClient, url: str) -> None:
        self._client = client
        self.url = url
        self.cookies: dict[str, str] = {}
        self.headers: dict[str, str] = {"User-Agent": "a browser", "Accept-Language": "en"}

    async def get(self, path: str, **headers: str) -> HTTPResponse:
        return await self._fetch(path, {}, headers)

    async def post(
        self, path: str, *, token: str | None = None, origin: str | None = "own", **fields: Any
    ) -> HTTPResponse:
        """Post a form; with the token of this browser's forms unless told otherwise."""
        if token is None:
            token = await self.form_token()
        return await self.post_form(path, urlencode({"_xsrf": token, **fields}), origin)

    async def post_form(self, path: str, body: str, origin: str | None = "own") -> HTTPResponse:
        """Post a form whose fields are encoded already."""
        headers = {} if origin is None else {"Origin": self.url if origin == "own" else origin}
        return await self._fetch(path, {"method": "POST", "body": body.encode()}, headers)

    async def form_token(self) -> str:
        """Return the token of this browser's forms, from a page that anybody may see."""
        for path in ("/admin/me", "/admin/me/factors", "/admin/sign-in"):
            found = _TOKEN.search(text_of(await self.get(path)))
            if found:
                return found[1]
        raise AssertionError("no page has a form")

    async def sign_in(self, name: str, password: str, **fields: str) -> HTTPResponse:
        return await self.post("/admin/sign-in", name=name, password=password, **fields)

    async def notice(self, response: HTTPResponse) -> str:
        """Follow a redirect and return the sentence that the next page shows."""
        found = _NOTICE.search(text_of(await self.get(response.headers["Location"])))
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", found[1])).split()) if found else ""

    async def _fetch(self, path: str, options: dict[str, Any], headers: dict[str, str]) -> HTTPResponse:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        response = await self._client.fetch(
            self.url + path,
            headers={**self.headers, **({"Cookie": cookie} if cookie else {}), **headers},
            follow_redirects=False,
            raise_error=False,
            **options,
        )
        for line in response.headers.get_list("Set-Cookie"):
            for morsel in SimpleCookie(line).values():
                if morsel.value:
                    self.cookies[morsel.key] = morsel.value
                else:
                    self.cookies.pop(morsel.key, None)
        return response


def text_of(response: HTTPResponse) -> str:
    return response.body.decode()
