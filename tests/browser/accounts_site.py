"""A service of three accounts, its dashboard, and the WeChat that it asks."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from storage.sealing import generate_key
from tests.browser.operators import Dashboard
from tests.browser.stack import running
from tests.service.harness import free_port
from tests.waiting import DEADLINE_SECONDS

SECRETS = {f"wx51a7ed000000000{number}": f"51a7ed00c0ffee0051a7ed00c0ffee0{number}" for number in (1, 3, 4)}
NAMES = dict(zip(SECRETS, ("商城", "Newsletter", "会员中心"), strict=True))


@dataclass
class Site:
    """A service of three accounts, its dashboard, and the WeChat that it asks."""

    service: str
    wechat: str
    dashboard: Dashboard
    settings: dict[str, str]
    folder: Path
    stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        """Start the service."""
        self.dashboard.run("migrate")
        arguments, url = ["serve"], f"{self.service}/healthz"
        self.stack.enter_context(running(arguments, url, self.folder, **self.settings))

    def restart(self, **changed: str) -> None:
        """End the service and start it anew, with other settings where they are named."""
        self.stack.close()
        self.settings |= changed
        self.start()

    def control(self, path: str, content: dict) -> dict:
        """Ask the simulated WeChat's control API."""
        return _post(f"{self.wechat}/simulator/{path}", content)[1]

    def log_in(self, appid: str) -> int:
        """Log somebody in at an account; return the status of the answer."""
        code = self.control("codes", {"appid": appid})["code"]
        return _post(f"{self.service}/getCode", {"code": code, "appid": appid})[0]


def _post(url: str, content: dict) -> tuple[int, dict]:
    request = urllib.request.Request(url, json.dumps(content).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as response:
            return response.status, json.loads(response.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")


def _settings_of(folder: Path, secrets: dict[str, str], service: str, admin: str, wechat: str) -> dict[str, str]:
    accounts = [{"appid": appid, "secret": secret, "name": NAMES[appid]} for appid, secret in secrets.items()]
    return {
        "WECHAT_OPENID_ACCOUNTS": json.dumps(accounts),
        "WECHAT_OPENID_DATABASE_URL": f"sqlite:///{folder}/wechat-openid.db",
        "WECHAT_OPENID_SECRET_KEYS": generate_key(),
        "WECHAT_OPENID_LISTEN": service.removeprefix("http://"),
        "WECHAT_OPENID_ADMIN_LISTEN": admin.removeprefix("http://"),
        "WECHAT_OPENID_WECHAT_API_URL": wechat,
        "WECHAT_OPENID_RATE_LIMIT": "",
        "WECHAT_OPENID_LOG_LEVEL": "ERROR",
    }


@contextmanager
def site_of(folder: Path, secrets: dict[str, str], **more: str) -> Iterator[Site]:
    service, admin, wechat = (f"http://127.0.0.1:{free_port()}" for _ in range(3))
    settings = _settings_of(folder, secrets, service, admin, wechat) | more
    accounts = [word for appid, secret in SECRETS.items() for word in ("--account", f"{appid}:{secret}")]
    simulator = ["simulator", "--listen", wechat.removeprefix("http://"), *accounts]
    with running(simulator, f"{wechat}/simulator/clock", folder):
        site = Site(service, wechat, Dashboard(admin, folder, settings), settings, folder)
        site.start()
        with site.stack:
            yield site
