from library import APPID, REDIRECT_URI, SECRET, run
from social_core.backends.weixin import WeixinOAuth2APP
from social_core.storage import BaseStorage, NonceMixin
from social_core.strategy import BaseStrategy


class Nonce(NonceMixin):
    @classmethod
    def use(cls, *_):
        return True


class Storage(BaseStorage):
    nonce = Nonce


class Strategy(BaseStrategy):
    """What an application supplies: its settings, the request and a session."""

    def __init__(self):
        super().__init__(Storage)
        self.settings = {"KEY": APPID, "SECRET": SECRET, "SCOPE": ["snsapi_userinfo"], "IGNORE_DEFAULT_SCOPE": True}
        self.request = {}
        self.session = {}

    def get_setting(self, name):
        return self.settings[name.removeprefix("SOCIAL_AUTH_").removeprefix("WEIXINAPP_")]

    def request_data(self):
        return self.request

    def request_host(self):
        return "h5.example.com"

    def build_absolute_uri(self, path=None):
        return path

    def session_get(self, name, default=None):
        return self.session.get(name, default)

    def session_set(self, name, value):
        self.session[name] = value


class Driver:
    package = "social-auth-core"

    def authorize_url(self, redirect_uri, *_):
        return WeixinOAuth2APP(Strategy(), redirect_uri).auth_url()

    def exchange(self, code):
        backend = WeixinOAuth2APP(Strategy(), REDIRECT_URI)
        backend.data = {"code": code}
        reply = backend.request_access_token(
            backend.ACCESS_TOKEN_URL,
            data=backend.auth_complete_params(),
            headers=backend.auth_headers(),
            method=backend.ACCESS_TOKEN_METHOD,
        )
        backend.process_error(reply)
        return reply

    def userinfo(self, access_token, openid):
        return WeixinOAuth2APP(Strategy(), REDIRECT_URI).user_data(access_token, response={"openid": openid})

    def errcode_of(self, error):
        return error.provider_code


run(Driver())
