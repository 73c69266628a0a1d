"""The least that Tornado and its curl client can do: ask WeChat and answer; nothing is checked, stored or signed."""

import asyncio
import json
import os
from urllib.parse import urlencode

import pycurl
import uvloop
from tornado.curl_httpclient import CurlAsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler


class GetCode(RequestHandler):
    async def post(self):
        code = json.loads(self.request.body)["code"]
        query = urlencode({"appid": "wx", "secret": "s", "code": code, "grant_type": "authorization_code"})
        response = await self.settings["wechat"].fetch(
            f"{os.environ['UPSTREAM']}/sns/oauth2/access_token?{query}", prepare_curl_callback=trust
        )
        reply = json.loads(response.body)
        self.write({"openid": reply["openid"], "scope": reply["scope"]})


def trust(curl):
    if "CA_FILE" in os.environ:
        curl.setopt(pycurl.CAINFO, os.environ["CA_FILE"])


async def main():
    wechat = CurlAsyncHTTPClient(force_instance=True, max_clients=128)
    application = Application([("/getCode", GetCode)], wechat=wechat, log_function=lambda _: None)
    HTTPServer(application).listen(int(os.environ["PORT"]), "127.0.0.1")
    await asyncio.Event().wait()


uvloop.run(main())
