from library import APPID, REDIRECT_URI, SECRET, run
from wechatpy import WeChatClient
from wechatpy.oauth import WeChatOAuth


class Driver:
    package = "wechatpy"

    def __init__(self):
        self.oauth = WeChatOAuth(APPID, SECRET, REDIRECT_URI)

    def authorize_url(self, redirect_uri, scope, state):
        return WeChatOAuth(APPID, SECRET, redirect_uri, scope, state).authorize_url

    def exchange(self, code):
        return self.oauth.fetch_access_token(code)

    def refresh(self, refresh_token):
        return self.oauth.refresh_access_token(refresh_token)

    def userinfo(self, access_token, openid):
        return self.oauth.get_user_info(openid, access_token)

    def auth(self, access_token, openid):
        return self.oauth.check_access_token(openid, access_token)

    def account(self, secret):
        client = WeChatClient(APPID, secret)
        return [client.jsapi.get_jsapi_ticket(), client.jsapi.get_jsapi_card_ticket()]

    def errcode_of(self, error):
        return error.errcode


run(Driver())
