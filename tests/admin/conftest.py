"""The dashboard of a real service, on an SQLite file, with passwords that cost little to hash."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from argon2 import PasswordHasher
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop

from admin.operators.hashing_pool import HashingPool
from admin.services import AdminServices
from service.runtime.app import Service, make_private_app
from storage.base.clock import ManualClock
from storage.base.passwords import PasswordHashes
from storage.sql.accounts.operators import Role
from tests.admin.operator_browser import OperatorBrowser

PASSWORD = "correct horse battery staple"


class CountedHashes(PasswordHashes):
    """Cheap hashes that count how often one is checked."""

    def __init__(self) -> None:
        super().__init__(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        self.checked = 0
        self.waiting = 0
        self._held: str | None = None
        self._go_on = threading.Event()

    @contextmanager
    def held(self, password: str) -> Iterator[None]:
        """Let every check of a password wait until the end."""
        self._held = password
        try:
            yield
        finally:
            self._go_on.set()

    def verify(self, password_hash: str | None, password: str) -> bool:
        self.checked += 1
        if password == self._held:
            self.waiting += 1
            self._go_on.wait()
        return super().verify(password_hash, password)


@pytest.fixture
def hashes() -> CountedHashes:
    return CountedHashes()


@pytest.fixture
def dashboard(service: Service, hashes: CountedHashes) -> AdminServices:
    return replace(service.dashboard, passwords=HashingPool(hashes))


@pytest.fixture
def dashboard_url(io_loop: IOLoop, service: Service, dashboard: AdminServices, serve) -> str:
    return io_loop.run_sync(lambda: serve(make_private_app(replace(service, dashboard=dashboard))))


@pytest.fixture
def add_operator(dashboard: AdminServices, hashes: CountedHashes, clock: ManualClock) -> Callable[..., None]:
    """Add operators who all have the same password."""
    password_hash = hashes.hash(PASSWORD)

    def add(name: str, role: Role = Role.OWNER) -> None:
        dashboard.operators.add(name, password_hash, role, clock.now())

    return add


@pytest.fixture
def browser(http: AsyncHTTPClient, dashboard_url: str) -> OperatorBrowser:
    """Somebody who is not signed in."""
    return OperatorBrowser(http, dashboard_url)


@pytest.fixture
def signed_in(
    http: AsyncHTTPClient,
    dashboard_url: str,
    dashboard: AdminServices,
    add_operator: Callable[..., None],
    clock: ManualClock,
) -> Callable[..., OperatorBrowser]:
    """Give browsers of operators who are signed in, one operator for each role."""
    names: dict[Role, str] = {}

    def enter(role: Role = Role.OWNER) -> OperatorBrowser:
        if role not in names:
            names[role] = f"the-{role}"
            add_operator(names[role], role)
        found = dashboard.operators.find(names[role])
        assert found is not None
        token = dashboard.sessions.begin(found[0].id, clock.now(), "192.0.2.1", "a test")
        entered = OperatorBrowser(http, dashboard_url)
        entered.cookies["wechat_openid_session"] = token
        return entered

    return enter
