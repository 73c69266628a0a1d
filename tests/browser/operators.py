"""The dashboard in a real browser: who is signed in there, and what must hold of every page."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

PASSWORD = "correct horse battery staple"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}


@dataclass
class Dashboard:
    """A running dashboard, and the browsers that are signed in to it."""

    url: str
    folder: Path
    environment: dict[str, str]
    states: dict[str, dict] = field(default_factory=dict)

    def add_operator(self, role: str, name: str | None = None) -> None:
        """Add an operator of a role, who is called like it unless a name is given."""
        self.run("operators", "add", name or role, "--role", role, "--password-stdin", given=PASSWORD)

    def run(self, *arguments: str, given: str = "") -> None:
        """Run a command of the service, which reads what is given."""
        subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            cwd=self.folder,
            env=self.environment,
            input=given,
            text=True,
            check=True,
            capture_output=True,
        )

    def open(self, chromium: Browser, role: str | None = "owner", **options) -> BrowserContext:
        """Open a browser, signed in as the operator of a role unless it is None."""
        if role is not None and role not in self.states:
            self._sign_in(chromium, role)
        state = self.states[role] if role is not None else None
        options = {"locale": "en-GB", "viewport": DESK, "base_url": self.url, "storage_state": state, **options}
        context = chromium.new_context(**options)
        context.set_default_timeout(60_000)
        return context

    def _sign_in(self, chromium: Browser, role: str) -> None:
        """Sign in once for all tests: attempts are counted."""
        self.add_operator(role)
        with self.open(chromium, None) as context:
            page = context.new_page()
            page.goto("/admin/sign-in")
            page.fill("[name=name]", role)
            page.fill("[name=password]", PASSWORD)
            page.click("main button")
            page.wait_for_url(lambda url: "sign-in" not in url)
            self.states[role] = context.storage_state()


def complaints_of(page: Page) -> list[str]:
    """Return a list that grows with what the browser complains of: refused code, failed scripts, errors."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: message.type in {"error", "warning"} and complaints.append(message.text))
    return complaints


def faults_of_accessibility(page: Page) -> list[str]:
    """Return what axe finds to be serious or critical, targets that are too small for a finger among it."""
    options = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{fault['id']}: {fault['help']}: {[node['html'] for node in fault['nodes']]}"
        for fault in found
        if fault["impact"] in {"serious", "critical"}
    ]


def width_of(page: Page) -> int:
    """Return how wide the page is, what must be scrolled to included."""
    return page.evaluate("document.documentElement.scrollWidth")
