"""Browsers in words, by what they call themselves; and texts that are no browser's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.labels.browsers import describe_browser
from admin.web.i18n import load_languages
from storage.sql.accounts.operators import Role
from tests.admin.operator_browser import text_of

ANDROID = "Mozilla/5.0 (Linux; Android 14; 2211133C Build/UKQ1) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0"
NAMES = [
    (f"{ANDROID} Chrome/122.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.49.2600 NetType/WIFI", "WeChat on Android"),
    (f"{IPHONE} MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/zh_CN", "WeChat on iPhone"),
    (f"{WINDOWS} Safari/537.36 NetType/WIFI MicroMessenger/7.0.20.1781 WindowsWechat", "WeChat on Windows"),
    (f"{IPHONE} wxwork/4.1.28 MicroMessenger/7.0.1 Language/zh", "WeCom on iPhone"),
    (f"{WINDOWS} Safari/537.36 Edg/122.0.0.0", "Edge on Windows"),
    (f"{ANDROID} Chrome/109.0 HuaweiBrowser/14.0.5.301 Mobile Safari/537.36", "Huawei Browser on Android"),
    ("curl/8.7.1", "curl"),
    ("Mozilla/5.0 (X11; Linux x86_64)", "Linux"),
]


@pytest.mark.parametrize(("user_agent", "name"), NAMES, ids=[name for _, name in NAMES])
def test_a_browser_is_named_with_its_system(user_agent, name):
    assert describe_browser(user_agent, str) == name


def test_chinese_browsers_have_their_own_names_in_chinese():
    chinese = load_languages()["zh_CN"].translate
    assert describe_browser(NAMES[0][0], chinese) == "微信（Android）"
    assert describe_browser(NAMES[4][0], chinese) == "Edge（Windows）"


@pytest.mark.parametrize("user_agent", ["", "a test", "%s %(browser)s", "chrome/1", "微信"])
def test_any_other_text_has_no_name(user_agent):
    assert describe_browser(user_agent, str) is None


@given(st.text(max_size=300))
def test_no_text_is_refused(user_agent):
    describe_browser(user_agent, str)


@pytest.mark.gen_test
@pytest.mark.attack(
    "operators' side", "anybody who can sign in or try to", "markup as the name of their browser", "shown as text"
)
async def test_what_a_browser_calls_itself_is_shown_as_text_below_its_name(signed_in, dashboard, clock):
    hostile = "Chrome/1 on Windows</details><script>alert(1)</script>%s"
    operator = signed_in(Role.OPERATOR)
    found, _ = dashboard.operators.find("the-operator")
    dashboard.sessions.begin(found.id, clock.now(), "192.0.2.7", hostile)
    await operator.get("/admin/audit.csv", **{"User-Agent": hostile})
    for path in ("/admin/me", "/admin/audit"):
        page = text_of(await operator.get(path))
        assert "<summary>Chrome on Windows</summary>" in page
        assert "&lt;/details&gt;&lt;script&gt;alert(1)&lt;/script&gt;%s</span>" in page
        assert "<script>alert" not in page
