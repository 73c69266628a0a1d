from library import APPID, SECRET, run
from weixin.login import WeixinLogin


class Driver:
    package = "weixin-python"

    def __init__(self):
        self.login = WeixinLogin(APPID, SECRET)
        self.exchange = self.login.access_token
        self.refresh = self.login.refresh_token
        self.userinfo = self.login.userinfo
        self.authorize_url = self.login.authorize

    def auth(self, access_token, openid):
        return self.login.auth(access_token, openid).errcode == 0

    def errcode_of(self, error):
        return int(str(error).split()[0])


run(Driver())
