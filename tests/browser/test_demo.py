"""The demo as a person tries it: `wechat-openid demo`, on a phone's screen."""

import pytest

from tests.browser.stack import running
from tests.service.harness import free_port


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    page, admin, wechat = (f"127.0.0.1:{free_port()}" for _ in range(3))
    arguments = ["demo", "--listen", page, "--admin-listen", admin, "--simulator-listen", wechat]
    with running(arguments, f"http://{page}/", tmp_path_factory.mktemp("demo")):
        yield f"http://{page}"


@pytest.fixture
def demo_page(demo, page):
    """The demo, with whatever it complains of."""
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{demo}/")
    yield page
    assert complaints == []


def shows(page, text):
    page.get_by_text(text).first.wait_for()


def test_a_silent_login_shows_the_openid_and_what_was_received(demo_page, demo):
    demo_page.click("#silent")
    shows(demo_page, "POST /getCode")
    assert demo_page.text_content("#openid").startswith("o")
    assert demo_page.url == f"{demo}/"


def test_the_profile_is_asked_for_and_shown(demo_page):
    demo_page.click("#profile")
    demo_page.check("input[value=lao-zhang]")
    demo_page.click("button.allow")
    shows(demo_page, "GET /userinfo")
    assert demo_page.text_content("#name").startswith("<b>老张</b>")


def test_a_refusal_is_shown(demo_page, demo):
    demo_page.click("#profile")
    demo_page.click("button[value=deny]")
    shows(demo_page, "用户拒绝了授权")
    assert "access_denied" in demo_page.text_content("#log")
    assert demo_page.url == f"{demo}/"


def test_a_session_outlives_a_reload_and_ends_by_logging_out(demo_page):
    demo_page.click("#silent")
    shows(demo_page, "POST /getCode")
    demo_page.reload()
    shows(demo_page, "GET /session")
    demo_page.click("#log-out")
    shows(demo_page, "已退出")
    demo_page.reload()
    shows(demo_page, "尚未授权")


def test_it_works_without_script_too(demo_page):
    demo_page.click("#no-script")
    shows(demo_page, "GET /session")


def test_it_also_works_by_its_other_name(demo_page, demo):
    demo_page.goto(f"{demo.replace('127.0.0.1', 'localhost')}/")
    demo_page.click("#silent")
    shows(demo_page, "POST /getCode")


def test_nothing_is_wider_than_a_phone(demo_page):
    demo_page.click("#profile")
    demo_page.click("button.allow")
    shows(demo_page, "GET /userinfo")
    assert demo_page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_wx_config_succeeds(demo_page):
    demo_page.click("#sdk")
    shows(demo_page, "wx.config 成功")
    assert "scanQRCode:ok" in demo_page.text_content("#log")
