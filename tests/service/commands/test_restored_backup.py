"""A backup made by the database's own tools, restored into another database: what comes back, and what is mended."""

import json
import sqlite3
import subprocess
from contextlib import ExitStack

import pytest
from sqlalchemy import create_engine, make_url, text

from service.commands.restored import users_in
from service.settings import PREFIX
from service.simulator.faults import Fault
from service.simulator.replies import Quirks
from storage.base.passwords import PasswordHashes
from storage.sealing import generate_key
from storage.sql.accounts.operators import Role
from storage.sql.core.engine import Database
from storage.sql.core.migrations import upgrade
from tests.servers import database_of_its_own, mysql_server, postgresql_server

DAY = 86_400


def dumped(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, **options).stdout


class SqliteFiles:
    """Two databases in files, and SQLite's own program."""

    def __init__(self, folder):
        self.live, self.restored = (f"sqlite:///{folder / name}" for name in ("live.db", "restored.db"))
        self._backup = folder / "backup.db"

    def back_up(self):
        dumped("sqlite3", self.live.removeprefix("sqlite:///"), f".backup '{self._backup}'")

    def restore(self):
        self._backup.rename(self.restored.removeprefix("sqlite:///"))


class PostgresqlDatabases:
    """Two databases of a server, and pg_dump."""

    def __init__(self, live, restored):
        self.live, self.restored = live, restored

    def back_up(self):
        self._dump = dumped("pg_dump", "--no-owner", "--dbname", self._plain(self.live))

    def restore(self):
        dumped("psql", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", self._plain(self.restored), input=self._dump)

    @staticmethod
    def _plain(url):
        return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


class MariaDBDatabases:
    """Two databases of a server, and mariadb-dump."""

    def __init__(self, live, restored):
        self.live, self.restored = live, restored

    def back_up(self):
        self._dump = dumped("mariadb-dump", "--single-transaction", *self._where(self.live))

    def restore(self):
        dumped("mariadb", *self._where(self.restored), input=self._dump)

    @staticmethod
    def _where(url):
        parts = make_url(url)
        password = [f"--password={parts.password}"] if parts.password else []
        return [
            f"--host={parts.host}",
            f"--port={parts.port or 3306}",
            f"--user={parts.username}",
            *password,
            parts.database,
        ]


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def databases(request, tmp_path):
    with ExitStack() as resources:
        if request.param == "sqlite":
            made = SqliteFiles(tmp_path)
        else:
            kind, server = {
                "postgresql": (PostgresqlDatabases, postgresql_server()),
                "mariadb": (MariaDBDatabases, mysql_server()),
            }[request.param]
            made = kind(*(resources.enter_context(database_of_its_own(server)) for _ in range(2)))
        database = Database.open(made.live)
        upgrade(database.engine)
        database.close()
        yield made


class Instance:
    """The service on one of the databases."""

    def __init__(self, server, http, page_at, wechat, appid):
        self.log = server.log
        self._server, self._http, self._page_at, self._wechat, self._appid = server, http, page_at, wechat, appid

    async def logs_in(self, person, scope="snsapi_userinfo"):
        page = self._page_at(self._server)
        response = await page.post_code(self._wechat.issue_code(person, scope=scope))
        assert response.code == 200
        return json.loads(response.body)["openid"]

    async def token_of(self, openid, key):
        """Ask for a user's token as a backend does; return the status, and what came."""
        response = await self._http.fetch(
            f"{self._server.admin_url}/internal/authorizations/{self._appid}/{openid}/token",
            headers={"Authorization": f"Bearer {key}"},
            raise_error=False,
        )
        return response.code, json.loads(response.body)

    async def end(self):
        self._server.process.terminate()
        assert await self._server.ended() == 0


@pytest.fixture
def start(http, start_server, page_at, wechat, settings):
    async def start(url):
        server = await start_server(**{f"{PREFIX}DATABASE_URL": url}).answers(http)
        return Instance(server, http, page_at, wechat, settings.appid)

    return start


@pytest.fixture
def command(start_process):
    """Run a command of the product on a database; return its exit status and what it said."""

    async def run(url, *arguments, stdin=""):
        process = start_process(*arguments, stdin=stdin, **{f"{PREFIX}DATABASE_URL": url})
        status = await process.ended()
        return status, process.log.read_text()

    return run


def let_a_day_pass(url, clock):
    """Make the rows of a database a day older than they are, as if the backup had been made yesterday."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for column in ("expires_at", "refresh_expires_at", "authorized_at", "first_authorized_at"):
            connection.execute(text(f"UPDATE authorizations SET {column} = {column} - {DAY}"))
        # In the moment of the backup somebody was refreshing them.
        connection.execute(text("UPDATE authorizations SET lease_owner = 'gone', lease_until = authorized_at + 60"))
    engine.dispose()
    clock.advance(DAY)


@pytest.mark.timeout(400)
@pytest.mark.gen_test(timeout=400)
async def test_what_comes_back_with_an_old_backup_and_how_it_is_mended(
    databases, start, start_server, command, wechat, clock, settings
):
    live = await start(databases.live)
    key, leaked = [
        (await command(databases.live, "apikeys", "add", name))[1].split()[-1] for name in ("backend", "leaked")
    ]
    people = [wechat.invent_person().id for _ in range(4)]
    steady, elsewhere, erased = [await live.logs_in(person) for person in people[:3]]
    databases.back_up()

    # What happens from now on is not in the backup. A login replaces what WeChat gave before …
    wechat.quirks = Quirks(silent_login_takes_over=True)
    assert await live.logs_in(people[1], scope="snsapi_base") == elsewhere
    newcomer = await live.logs_in(people[3])
    # … a key is revoked, and a user erased, who says so in the log alone.
    await command(databases.live, "apikeys", "revoke", "leaked")
    assert (await live.token_of(steady, leaked))[0] == 401
    status, log = await command(databases.live, "restored", "--erase", "-", stdin=f"{settings.appid} {erased}\n")
    assert status == 0
    [erasure] = [line for line in log.splitlines() if "erased user" in line]
    assert (await live.token_of(erased, key))[0] == 404
    await live.end()

    databases.restore()
    let_a_day_pass(databases.restored, clock)
    without_its_keys = start_server(
        **{f"{PREFIX}DATABASE_URL": databases.restored, f"{PREFIX}SECRET_KEYS": generate_key()}
    )
    assert await without_its_keys.ended() == 1
    assert "is not in SECRET_KEYS" in without_its_keys.log.read_text()

    status, said = await command(databases.restored, "restored", "--erase", "-", stdin=erasure)
    assert (status, "Users that were erased: 1, and not there: 0" in said) == (0, True), said
    restored = await start(databases.restored)
    # Erased before any request could find the user.
    assert (await restored.token_of(erased, key))[0] == 404
    # A token that is old, leased by a process that is gone: WeChat refreshes it, for its refresh token is the same.
    status, token = await restored.token_of(steady, key)
    assert status == 200
    wechat.auth(access_token=token["access_token"], openid=steady)
    # A refresh token that WeChat has replaced since is refused, and only this user authorizes again.
    status, refused = await restored.token_of(elsewhere, key)
    assert (status, refused["error"]) == (409, "reauthorize")
    assert {outcome: calls for outcome, calls in wechat.outcomes["refresh_token"].items() if outcome != "ok"} == {
        "40030": 1
    }
    # Who is not in the backup is unknown, until the next login.
    assert (await restored.token_of(newcomer, key))[0] == 404
    for person, openid in ((people[1], elsewhere), (people[3], newcomer)):
        assert await restored.logs_in(person) == openid
        assert (await restored.token_of(openid, key))[0] == 200
    # The key that was revoked since is in force again.
    assert (await restored.token_of(steady, leaked))[0] == 200
    await command(databases.restored, "apikeys", "revoke", "leaked")
    assert (await restored.token_of(steady, leaked))[0] == 401
    await restored.end()


@pytest.mark.timeout(200)
@pytest.mark.gen_test(timeout=200)
async def test_no_answer_of_wechat_but_a_refusal_of_the_token_ends_an_authorization_of_the_backup(
    tmp_path, start, command, wechat, clock
):
    databases = SqliteFiles(tmp_path)
    live = await start(databases.live)
    key = (await command(databases.live, "apikeys", "add", "backend"))[1].split()[-1]
    openid = await live.logs_in(wechat.invent_person().id)
    databases.back_up()
    await live.end()
    databases.restore()
    let_a_day_pass(databases.restored, clock)
    restored = await start(databases.restored)
    for errcode in (40001, 40014, 42001, -1, 45009):
        wechat.faults.add(Fault(endpoint="refresh_token", errcode=errcode))
        assert (await restored.token_of(openid, key))[0] == 503, errcode
        await command(databases.restored, "refresh", "--once")
    await restored.end()
    with sqlite3.connect(databases.restored.removeprefix("sqlite:///")) as database:
        assert database.execute("SELECT status FROM authorizations").fetchall() == [("active",)]
    database.close()


@pytest.mark.gen_test(timeout=120)
async def test_sessions_of_operators_end_and_a_line_that_names_nobody_stops_everything(
    settings, service, command, wechat, page
):
    code = wechat.issue_code()
    openid = json.loads((await page.post_code(code)).body)["openid"]
    operators = service.dashboard.operators
    operators.add("ada", PasswordHashes().hash("a long way to the sea"), Role.OWNER, 1)
    [ada] = operators.list()
    service.dashboard.sessions.begin(ada.id, service.clock.now(), "192.0.2.1", "a browser")
    status, said = await command(settings.database_url, "restored", "--erase", "-", stdin=f"wx1 {openid}\nhello\n")
    assert (status, "no user is named in line 2" in said) == (1, True)
    assert service.dashboard.sessions.list(ada.id, service.clock.now())
    status, said = await command(settings.database_url, "restored")
    assert (status, "Sessions of operators that were ended: 1" in said) == (0, True)
    assert service.dashboard.sessions.list(ada.id, service.clock.now()) == []
    assert await service.vault.get(settings.appid, openid) is not None


def test_users_are_read_from_lines_of_the_log_as_it_is_written(subtests):
    for line, user in [
        ("wx0123456789abcdef oAaBUcEjVp3_DhDLArJT2NoFYwJt\n", ("wx0123456789abcdef", "oAaBUcEjVp3_DhDLArJT2NoFYwJt")),
        ("2026-11-25 13:07:31,318 INFO 31333 storage.vault erased user wx1 o-1_x\n", ("wx1", "o-1_x")),
        ('{"process": 3, "name": "storage.vault", "message": "erased user wx1 o1", "a": "b c"}\r\n', ("wx1", "o1")),
        ("Nov 25 13:07:31 host wechat-openid[3]: 2026 INFO 3 storage.vault erased user wx1 o1", ("wx1", "o1")),
    ]:
        with subtests.test(line=line):
            assert users_in([line, "\n", line]) == ([user], [])
    assert users_in(["2026 INFO 3 service.runtime.server serving pages on wx1 o1\n"]) == ([], [1])
