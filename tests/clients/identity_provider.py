"""An OpenID Provider that others wrote, run as a process, and a person who signs in on its pages."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

from tests.clients.libraries import HERE, MODULES
from tests.waiting import DEADLINE_SECONDS, answers, wait_until

CLIENT_ID, CLIENT_SECRET = "dashboard", "a secret of the client"
_FORM = re.compile(r'<form[^>]* action="([^"]+)"')


def missing() -> str | None:
    """Return why it cannot be run here, or None."""
    if shutil.which("node") is None:
        return "Node.js is not installed"
    return None if (MODULES / "oidc-provider").exists() else "not installed: make clients installs it"


@dataclass
class Provider:
    """The provider as tests see it: whoever types a name is that person, in the groups that are told here."""

    url: str
    configuration: Path
    groups: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def tell(self) -> None:
        """Let the running provider know what groups and names are now."""
        known = json.loads(self.configuration.read_text())
        self.configuration.write_text(json.dumps({**known, "groups": self.groups, "names": self.names}))

    def put(self, person: str, *groups: str, name: str | None = None) -> None:
        """Let a person be in groups."""
        self.groups[person] = list(groups)
        self.names[person] = name or person
        self.tell()


@contextmanager
def running_provider(folder: Path, port: int, redirect_uri: str, **options: bool | str) -> Iterator[Provider]:
    """Run it until the end, each time with a new signing key."""
    configuration = folder / f"provider-{port}.json"
    secret = {"client_secret": CLIENT_SECRET}
    client = {
        "client_id": CLIENT_ID,
        **(secret if options.get("has_secret", True) else {}),
        "token_endpoint_auth_method": "client_secret_basic" if options.get("has_secret", True) else "none",
        "redirect_uris": [redirect_uri],
        "post_logout_redirect_uris": [urljoin(redirect_uri, "/admin/sign-in")],
        "scope": "openid profile email groups",
    }
    known = {"port": port, "client": client, "groups": {}, "names": {}, "inUserinfo": options.get("in_userinfo", False)}
    configuration.write_text(json.dumps(known))
    provider = Provider(f"http://127.0.0.1:{port}", configuration)
    process = subprocess.Popen(
        ["node", str(HERE / "drivers" / "identity_provider.mjs"), str(configuration)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: process.poll() is not None or answers(f"{provider.url}/.well-known/openid-configuration"))
        assert process.poll() is None, "the provider ended"
        yield provider
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def sign_in_there(address: str, person: str) -> Mapping[str, str]:
    """Go to the provider with a browser of one's own, sign in and agree; return what the browser brings back."""
    with requests.Session() as browser:
        page = browser.get(address, allow_redirects=False)
        forms = iter([{"prompt": "login", "login": person, "password": "any"}, {"prompt": "consent"}])
        while True:
            if page.is_redirect:
                target = urljoin(page.url, page.headers["Location"])
                if urlsplit(target).netloc != urlsplit(address).netloc:
                    return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
                page = browser.get(target, allow_redirects=False)
                continue
            form = _FORM.search(page.text)
            assert form, page.text
            page = browser.post(urljoin(page.url, form[1]), data=next(forms), allow_redirects=False)
