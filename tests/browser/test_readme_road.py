"""The road of the README as written: its settings, its nginx, its page; the login it ends with is in the dashboard."""

import os
import subprocess
import sys

import pytest

from service.simulator.people import DEFAULT_ACCOUNT
from tests.browser.conftest import CHROMIUM, FLAGS, PHONE
from tests.browser.operators import DESK, PASSWORD
from tests.browser.stack import running
from tests.certificates import make_certificate
from tests.docs.markdown_text import ENGLISH, ROOT, code_blocks, read, section, table_rows
from tests.proxies import nginx
from tests.service.harness import free_port
from tests.waiting import DEADLINE_SECONDS

HOST = "h5.example.com"
H5 = ROOT / "docs" / "h5.md"
VERIFICATION = "MP_verify_a1b2c3d4e5f6a7b8.txt"


def blocks(page, heading, language):
    return [code for found, code in code_blocks(section(read(page), heading)) if found == language]


def settings_of_the_readme():
    """Return the settings that the README has written to a file, for the simulated account."""
    [lines] = [code for code in blocks(ENGLISH, "A real account", "ini") if "WECHAT_OPENID_APPID" in code]
    written = dict(line.split("=", 1) for line in lines.splitlines())
    return {**written, "WECHAT_OPENID_APPID": DEFAULT_ACCOUNT.appid, "WECHAT_OPENID_SECRET": DEFAULT_ACCOUNT.secret}


@pytest.fixture(scope="module")
def addresses():
    return {name: f"127.0.0.1:{free_port()}" for name in ("service", "admin", "wechat")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of the service, with the pages of both documents in the root of the web server."""
    folder = tmp_path_factory.mktemp("road")
    verification = folder / settings_of_the_readme()["WECHAT_OPENID_VERIFICATION_FILES"]
    verification.mkdir()
    (verification / VERIFICATION).write_text("a1b2c3d4e5f6a7b8")
    pages = folder / "pages"
    pages.mkdir()
    [of_the_readme] = blocks(ENGLISH, "A real account", "html")
    two_lines, _ = blocks(H5, "Two lines", "html")
    (pages / "readme.html").write_text(of_the_readme)
    (pages / "h5.html").write_text(two_lines.replace("api.example.com", HOST))
    return folder


@pytest.fixture(scope="module")
def environment(addresses):
    return {
        **settings_of_the_readme(),
        "WECHAT_OPENID_LISTEN": addresses["service"],
        "WECHAT_OPENID_ADMIN_LISTEN": addresses["admin"],
        "WECHAT_OPENID_WECHAT_API_URL": f"http://{addresses['wechat']}",
        "WECHAT_OPENID_WECHAT_AUTHORIZE_URL": f"http://{addresses['wechat']}/connect/oauth2/authorize",
        "WECHAT_OPENID_LOG_LEVEL": "WARNING",
    }


@pytest.fixture(scope="module")
def web_server(addresses, folder, environment):
    """The service, WeChat, and nginx with the README's snippet in front of both the service and the pages."""
    [snippet] = blocks(ENGLISH, "A real account", "nginx")
    assert "127.0.0.1:8888" in snippet
    certificate = make_certificate(folder, HOST)
    server = f"""
        ssl_certificate {certificate.path}; ssl_certificate_key {certificate.key_path};
        location ~ \\.html$ {{ root {folder}/pages; default_type text/html; }}
        {snippet.replace("127.0.0.1:8888", addresses["service"])}
    """
    simulator = ["simulator", "--listen", addresses["wechat"]]
    with (
        running(simulator, f"http://{addresses['wechat']}/simulator/clock", folder),
        running(["serve"], f"http://{addresses['service']}/healthz", folder, **environment),
        # What the snippet does not pass on has no other way to the service.
        nginx(folder, "http://127.0.0.1:9", "", server=server, listen="ssl") as address,
    ):
        yield address


@pytest.fixture(scope="module")
def visitor(playwright, web_server):
    """A browser to which the host of the pages is that nginx."""
    rules = f"--host-resolver-rules=MAP {HOST} {web_server}"
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, rules])
    context = browser.new_context(viewport=PHONE, ignore_https_errors=True)
    context.set_default_timeout(DEADLINE_SECONDS * 1000)
    yield context
    browser.close()


@pytest.mark.parametrize("name", ["readme", "h5"])
def test_two_lines_behind_the_readmes_nginx_log_in_and_the_dashboard_shows_it(
    visitor, chromium, addresses, folder, environment, name
):
    visitor.clear_cookies()
    page = visitor.new_page()
    with page.expect_console_message(lambda message: message.type == "log") as logged:
        page.goto(f"https://{HOST}/{name}.html")
    openid = logged.value.text
    assert openid.startswith("o")
    assert page.url == f"https://{HOST}/{name}.html"
    [session] = [cookie for cookie in visitor.cookies() if cookie["name"] == "__Host-wechat_openid"]
    assert session["secure"]

    add_operator(folder, environment, name)
    with chromium.new_context(viewport=DESK, locale="en-GB") as context:
        dashboard = context.new_page()
        dashboard.goto(f"http://{addresses['admin']}/")
        dashboard.fill("[name=name]", name)
        dashboard.fill("[name=password]", PASSWORD)
        dashboard.click("main button")
        dashboard.wait_for_url("**/admin/overview")
        dashboard.get_by_role("link", name="Users", exact=True).first.click()
        dashboard.wait_for_url("**/admin/users*")
        assert openid in dashboard.content()


def add_operator(folder, environment, name):
    """Type what the README's step says, in the folder of the service."""
    command = "wechat-openid operators add ada"
    assert any(command in code for code in blocks(ENGLISH, "A real account", "bash"))
    words = [name if word == "ada" else word for word in command.split()[1:]]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WECHAT_OPENID_")}
    subprocess.run(
        [sys.executable, "-m", "service", *words, "--password-stdin"],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
        input=PASSWORD,
        text=True,
        check=True,
        capture_output=True,
    )


def test_wechats_verification_file_is_served_at_the_root_of_the_pages_host(visitor):
    served = visitor.new_page().goto(f"https://{HOST}/{VERIFICATION}")
    assert (served.status, served.text()) == (200, "a1b2c3d4e5f6a7b8")


def test_the_readmes_nginx_passes_on_whatever_pages_reach_and_nothing_else(visitor):
    requests = [row[0].strip("`") for row in table_rows(section(read(ENGLISH), "HTTP API")) if row[1] == "`LISTEN`"]
    public = [request.split()[1].replace("{appid}", DEFAULT_ACCOUNT.appid) for request in requests]
    assert len(public) >= 8
    private = ["/admin/", "/metrics", "/internal/authorizations/a/b/token", "/session/x", "/wechat-openidXjs"]
    page = visitor.new_page()
    page.goto(f"https://{HOST}/{VERIFICATION}")
    statuses = page.evaluate(
        """paths => Promise.all(paths.map(
            async (path) => [path, (await fetch(path, { redirect: 'manual' })).status]
        ))""",
        [*public, *private],
    )
    # nginx answers 502 for whatever it does not pass on to the service.
    assert [path for path, status in statuses if status == 502] == private
