"""Authlib, which knows nothing of WeChat: names and places of parameters are given as its documentation tells."""

from authlib.integrations.requests_client import OAuth2Session
from library import APPID, SECRET, run


class ErrcodeError(Exception):
    def __init__(self, errcode):
        super().__init__(errcode)
        self.errcode = errcode


def refuse_errors(response):
    errcode = response.json().get("errcode")
    if errcode:
        raise ErrcodeError(errcode)
    return response


class Driver:
    package = "Authlib"

    def __init__(self):
        self.session = OAuth2Session(APPID, SECRET, token_endpoint_auth_method="none")
        for hook in ("access_token_response", "refresh_token_response"):
            self.session.register_compliance_hook(hook, refuse_errors)

    def exchange(self, code):
        url = "https://api.weixin.qq.com/sns/oauth2/access_token"
        return self.session.fetch_token(url, grant_type="authorization_code", code=code, appid=APPID, secret=SECRET)

    def refresh(self, refresh_token):
        url = "https://api.weixin.qq.com/sns/oauth2/refresh_token"
        return self.session.refresh_token(url, refresh_token=refresh_token, appid=APPID)

    def errcode_of(self, error):
        return error.errcode


run(Driver())
