"""Takes a Python library through the steps of web authorization, and prints as JSON what works.

A driver is an object with a method for each step that its library has; `errcode_of` returns the errcode that an
exception of the library tells. Each step is given what a caller of the library has at that point.
"""

import rerouted  # noqa: F401, I001 - before any library looks a name up
import json
import os
import ssl
import sys
from html import unescape
from http.client import HTTPSConnection
from importlib.metadata import version
from urllib.parse import parse_qs, urlencode, urlsplit

APPID, SECRET, PERSON = (os.environ[name] for name in ("APPID", "SECRET", "PERSON"))
OPENID, NICKNAME = os.environ["OPENID"], os.environ["NICKNAME"]
REDIRECT_URI = "https://h5.example.com/callback?from=page"
STATE = "from-page_1.2=3"
AUTHORIZE_URL = "https://open.weixin.qq.com/connect/oauth2/authorize"
MADE_UP = "0" * 32


def visit(url):
    """Be the browser: open the authorize page, allow if asked, and return the parameters that come back."""
    assert url.startswith(AUTHORIZE_URL + "?"), url
    path = url.removeprefix("https://open.weixin.qq.com").partition("#")[0]
    location = _location("GET", path) or _location("POST", path, {"person": PERSON, "answer": "allow"})
    assert location is not None, "the authorize page shows an error"
    return {name: values[0] for name, values in parse_qs(urlsplit(unescape(location)).query).items()}


def _location(method, path, form=None):
    connection = HTTPSConnection("open.weixin.qq.com", context=ssl.create_default_context())
    headers = {"Cookie": f"simulator_person={PERSON}", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request(method, path, urlencode(form) if form else None, headers)
    return connection.getresponse().headers["Location"]


def new_code(scope="snsapi_userinfo"):
    """Return a code without the library's help."""
    query = {"appid": APPID, "redirect_uri": REDIRECT_URI, "response_type": "code", "scope": scope, "state": "1"}
    return visit(f"{AUTHORIZE_URL}?{urlencode(query)}")["code"]


class Steps:
    """The steps of one library."""

    def __init__(self, driver):
        self.driver = driver
        self.grant = None

    def authorize(self):
        back = visit(self.driver.authorize_url(REDIRECT_URI, "snsapi_userinfo", STATE))
        assert set(back) == {"from", "code", "state"}, back

    def exchange(self):
        self.grant = self.driver.exchange(new_code())
        assert self.grant["openid"] == OPENID
        assert self.grant["refresh_token"]

    def refresh(self):
        assert self.driver.refresh(self.grant["refresh_token"])["access_token"] == self.grant["access_token"]

    def userinfo(self):
        assert self.driver.userinfo(self.grant["access_token"], OPENID)["nickname"] == NICKNAME

    def auth(self):
        assert self.driver.auth(self.grant["access_token"], OPENID)

    def account(self):
        """Fetch the account's own access token and its tickets, and be refused for a wrong secret."""
        tickets = self.driver.account(SECRET)
        assert len(tickets) == len(set(tickets)) == 2
        assert self.driver.account(SECRET) == tickets
        self._meets(40125, self.driver.account, ("0" * 32,))

    def errcodes(self):
        used = new_code()
        self.driver.exchange(used)
        calls = [(40029, "exchange", (MADE_UP,)), (40163, "exchange", (used,))]
        calls += [(40030, "refresh", (MADE_UP,)), (40001, "userinfo", (MADE_UP, OPENID))]
        if hasattr(self.driver, "userinfo"):
            silent = self.driver.exchange(new_code("snsapi_base"))["access_token"]
            calls.append((48001, "userinfo", (silent, OPENID)))
        for expected, step, arguments in calls:
            if hasattr(self.driver, step):
                self._meets(expected, getattr(self.driver, step), arguments)

    def _meets(self, expected, call, arguments):
        met = None
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001 - each library raises its own
            met = self.driver.errcode_of(error)
        assert met == expected, f"{expected} expected, {met} met"


def run(driver):
    """Take the steps that a driver has, and print how each ended: null, or how it failed."""
    steps = Steps(driver)
    results = {}
    for step in ("authorize", "exchange", "refresh", "userinfo", "auth", "account", "errcodes"):
        if hasattr(driver, {"authorize": "authorize_url", "errcodes": "errcode_of"}.get(step, step)):
            try:
                getattr(steps, step)()
                results[step] = None
            except Exception as error:  # noqa: BLE001 - whatever it is, the step failed
                results[step] = f"{type(error).__name__}: {error}"
    json.dump({"version": version(driver.package), "steps": results}, sys.stdout)
