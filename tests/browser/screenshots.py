"""Takes the pictures of the README from the demo, with made-up users: `make screenshots`.

Usage: python -m tests.browser.screenshots FOLDER
"""

import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

from service.simulator.people import DEFAULT_ACCOUNT
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.sample_users import put_users
from tests.service.harness import free_port

#: The picture's name, the page, the colours, the language.
PICTURES = (
    ("overview-light", "/admin/overview", "light", "en"),
    ("overview-dark", "/admin/overview", "dark", "en"),
    ("users-light", "/admin/users", "light", "zh-CN"),
    ("users-dark", "/admin/users", "dark", "zh-CN"),
)
SIZE = {"width": 1180, "height": 760}
ZONE = "Asia/Shanghai"


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    if CHROMIUM is None:
        sys.exit("There is no Chromium here; TEST_CHROMIUM names one.")
    with demo() as (url, password), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        signed_in = sign_in(browser, url, password)
        for name, path, colours, language in PICTURES:
            context = browser.new_context(
                viewport=SIZE,
                color_scheme=colours,
                locale=language,
                timezone_id=ZONE,
                storage_state=signed_in,
            )
            page = context.new_page()
            page.goto(url + path)
            page.screenshot(path=folder / f"{name}.png")
            context.close()
        browser.close()


def sign_in(browser, url, password):
    """Return the cookies of the demo's operator."""
    context = browser.new_context(timezone_id=ZONE)
    page = context.new_page()
    page.goto(f"{url}/admin/sign-in")
    page.fill("[name=name]", "demo")
    page.fill("[name=password]", password)
    page.click("main button")
    page.wait_for_url("**/admin/overview")
    return context.storage_state()


@contextmanager
def demo():
    """Run the demo on free ports with many users in it; give the dashboard's address and the password."""
    listen, admin, simulator = (f"127.0.0.1:{free_port()}" for _ in range(3))
    options = ["--listen", listen, "--admin-listen", admin, "--simulator-listen", simulator]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "service", "demo", *options], stdout=subprocess.PIPE, text=True
    )
    try:
        words = ""
        while "The database" not in words:
            line = process.stdout.readline()
            assert line, "the demo ended"
            words += line
        database = re.search(r"The database +(\S+)", words)[1]
        # The listener is open already and answers once the service is up: what it checks as it starts sees no made-up
        # tokens, which open with no key.
        with urlopen(f"http://{admin}/admin/sign-in"):
            pass
        put_users(f"sqlite:///{database}", [DEFAULT_ACCOUNT.appid], 1280, int(time.time()))
        yield f"http://{admin}", re.search(r"password: ([^)\s]+)", words)[1]
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
