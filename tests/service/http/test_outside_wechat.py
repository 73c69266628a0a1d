"""Which visitors are outside of WeChat: known browsers that show a page, and nothing else."""

import pytest
from tornado.httputil import HTTPHeaders

from service.http.outside_wechat import OutsideWeChat
from service.wechat.protocol import Account, AccountKind

WECHATS_PAGE = "https://open.weixin.qq.com/connect/oauth2/authorize"
ANOTHER_PAGE = "http://127.0.0.1:8890/connect/oauth2/authorize"
ACCOUNT = Account("wx-official", "secret", outside_wechat="wx-website")
WEBSITE = Account("wx-website", "secret", kind=AccountKind.WEBSITE)

ANDROID = "Mozilla/5.0 (Linux; Android 14; 2211133C) AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"

OTHER_BROWSERS = [
    f"{WINDOWS} Chrome/131.0.0.0 Safari/537.36",
    f"{WINDOWS} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
    f"{ANDROID} Chrome/131.0.0.0 Mobile Safari/537.36",
    f"{ANDROID} Version/4.0 Chrome/130.0.0.0 MQQBrowser/15.4 Mobile Safari/537.36",
    f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1",
    f"{IPHONE} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1",
    f"{IPHONE} FxiOS/133.0 Mobile/15E148 Safari/605.1.15",
    f"{MAC} Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
]
WECHATS = [
    f"{ANDROID} Version/4.0 Chrome/126.0.6478.188 Mobile Safari/537.36 MicroMessenger/8.0.50.2701(0x2800325B) Weixin",
    f"{IPHONE} Mobile/15E148 MicroMessenger/8.0.50(0x18003234) NetType/WIFI Language/zh_CN",
    f"{IPHONE} Mobile/15E148 MicroMessenger/8.0.50(0x18003234) miniProgram/wx0123456789abcdef",
    f"{WINDOWS} Chrome/126.0.0.0 Safari/537.36 MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090c11)",
    f"{MAC} Chrome/126.0.0.0 Safari/537.36 MicroMessenger/6.8.0(0x16080000) MacWechat/3.8.8(0x13080813)",
    f"{MAC} Chrome/116.0.0.0 Safari/537.36 wechatdevtools/1.06.2409140 MicroMessenger/8.0.5 Language/zh_CN webview/",
    f"{WINDOWS} Chrome/108.0.0.0 Safari/537.36 wxwork/4.1.32 (MicroMessenger/6.2) WindowsWechat MailPlugin_Electron",
    f"{IPHONE} Mobile/15E148 wxwork/4.1.32 MicroMessenger/7.0.1 Language/zh",
]
PROGRAMS = ["", "curl/8.5.0", "python-requests/2.33.0", "MicroMessenger/8.0", "Mozilla/5.0", "okhttp/4.12.0"]


def headers(agent, **changes):
    sent = {"User-Agent": agent, "Accept": "text/html,application/xhtml+xml,*/*;q=0.8", **changes}
    return HTTPHeaders({name.replace("_", "-"): value for name, value in sent.items() if value})


@pytest.fixture
def rule():
    return OutsideWeChat("", WECHATS_PAGE)


def test_known_browsers_are_outside_of_wechat(rule, subtests):
    for agent in OTHER_BROWSERS:
        with subtests.test(agent=agent):
            assert rule.is_to_explain(ACCOUNT, headers(agent))
            assert rule.website_of(ACCOUNT, headers(agent)) == "wx-website"


def test_wechat_on_every_device_its_tools_and_programs_are_let_pass(rule, subtests):
    for agent in [*WECHATS, *PROGRAMS]:
        with subtests.test(agent=agent):
            assert not rule.is_to_explain(ACCOUNT, headers(agent))
            assert rule.website_of(ACCOUNT, headers(agent)) == ""


def test_what_shows_no_page_to_a_person_is_let_pass(rule, subtests):
    for changes in ({"Accept": "*/*"}, {"Accept": ""}, {"Sec_Fetch_Dest": "iframe"}, {"Sec_Fetch_Dest": "empty"}):
        with subtests.test(changes=changes):
            assert not rule.is_to_explain(ACCOUNT, headers(OTHER_BROWSERS[0], **changes))
    assert rule.is_to_explain(ACCOUNT, headers(OTHER_BROWSERS[0], Sec_Fetch_Dest="document"))


def test_a_website_account_works_in_every_browser(rule):
    assert not rule.is_to_explain(WEBSITE, headers(OTHER_BROWSERS[0]))


@pytest.mark.parametrize(
    ("word", "page", "explains", "website"),
    [
        ("", WECHATS_PAGE, True, "wx-website"),
        ("", ANOTHER_PAGE, False, "wx-website"),
        ("explain", ANOTHER_PAGE, True, "wx-website"),
        ("pass", WECHATS_PAGE, False, ""),
    ],
)
def test_the_setting_decides_and_by_default_whose_the_authorize_page_is(word, page, explains, website):
    rule = OutsideWeChat(word, page)
    assert rule.is_to_explain(ACCOUNT, headers(OTHER_BROWSERS[0])) is explains
    assert rule.website_of(ACCOUNT, headers(OTHER_BROWSERS[0])) == website
