"""The servers that are compared: this service, and what a team would write instead, each in its usual form."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

__all__ = [
    "APPID",
    "HARDLY_ANY_REFRESH",
    "SECRET_KEY",
    "Stack",
    "bare_tornado",
    "environment_for",
    "prepare",
    "stacks",
    "this_service",
]

HERE = Path(__file__).parent
FOLDER = Path("var/bench")
PYTHON = FOLDER / "venv/bin"
NODE = FOLDER / "node"
GO = FOLDER / "go_server"

#: What this service is run with.
APPID = "wx51a7ed0000000001"
SECRET_KEY = "A" * 43
#: Made-up tokens do not open: the scheduler is to try one in ten seconds, and leave the processor alone.
HARDLY_ANY_REFRESH = {"WECHAT_OPENID_REFRESH_MAX_PER_SECOND": "0.1"}

PYTHON_PACKAGES = [
    "asyncpg",
    "fastapi",
    "flask",
    "gunicorn",
    "httpx",
    "psycopg[binary]",
    "requests",
    "sqlalchemy[asyncio]",
    "uvicorn[standard]",
]
NODE_PACKAGES = ["axios", "express", "pg"]
#: Where Debian puts the sources of its packages (golang-github-jackc-pgx-v4-dev): nothing is fetched from elsewhere.
GO_PACKAGES = {"GOPATH": "/usr/share/gocode", "GO111MODULE": "off", "GOFLAGS": ""}


@dataclass(frozen=True)
class Stack:
    """A server to measure.

    Attributes:
        database: The form in which it wants the URL of PostgreSQL; None where it stores nothing there.
        needs: A file without which it is left out.
    """

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    database: str | None = None
    needs: Path | None = None

    @property
    def missing(self) -> bool:
        return self.needs is not None and not self.needs.exists()


def prepare() -> list[str]:
    """Install what the other stacks need into a folder of their own; return what could not be."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    missing = []
    if not (PYTHON / "uvicorn").exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER / "venv")], check=True)
        pip = [str(PYTHON / "pip"), "install", "--quiet", "--disable-pip-version-check", *PYTHON_PACKAGES]
        if subprocess.run(pip, check=False).returncode:
            missing.append("Flask and FastAPI (their packages could not be installed)")
    if shutil.which("npm") is None:
        missing.append("Express (there is no npm)")
    elif not (NODE / "node_modules/pg").exists():
        NODE.mkdir(exist_ok=True)
        npm = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(NODE), *NODE_PACKAGES]
        if subprocess.run(npm, check=False).returncode:
            missing.append("Express (its packages could not be installed)")
    if shutil.which("go") is None:
        missing.append("Go (there is no go; on Debian: golang-go)")
    elif subprocess.run(
        ["go", "build", "-o", str(GO), str(HERE / "alternatives/go_server.go")],
        env={**os.environ, **GO_PACKAGES},
        check=False,
    ).returncode:
        missing.append("Go (it could not be built; on Debian it needs golang-github-jackc-pgx-v4-dev)")
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed to make the load; on Debian: apt-get install wrk")
    return missing


def this_service(name: str, database_url: str, *, port: int, admin_port: int, workers: int = 1) -> Stack:
    """Return this service with everything on but the limit of rates: all requests come from one address."""
    environment = {
        "WECHAT_OPENID_APPID": APPID,
        "WECHAT_OPENID_SECRET": "51a7ed00c0ffee0051a7ed00c0ffee00",
        "WECHAT_OPENID_DATABASE_URL": database_url,
        "WECHAT_OPENID_LISTEN": f"127.0.0.1:{port}",
        "WECHAT_OPENID_ADMIN_LISTEN": f"127.0.0.1:{admin_port}",
        "WECHAT_OPENID_RATE_LIMIT": "",
        "WECHAT_OPENID_EXCHANGE_BUDGET": "0",
        "WECHAT_OPENID_SECRET_KEYS": SECRET_KEY,
        "WECHAT_OPENID_LOG_LEVEL": "WARNING",
        "WECHAT_OPENID_REFRESH_EVERY_SECONDS": "3600",
    }
    return Stack(name, [sys.executable, "-m", "service", "serve", "--workers", str(workers)], environment)


def bare_tornado() -> Stack:
    """Return the least that Tornado and its curl client can do."""
    return Stack("bare Tornado + curl, nothing stored", [sys.executable, str(HERE / "alternatives/bare_tornado.py")])


def stacks(workers: int, port: int, admin_port: int, sqlite: Path, postgresql: str) -> list[Stack]:
    """Return what to measure, the yardstick first."""
    ports = {"port": port, "admin_port": admin_port, "workers": workers}
    express = ["node", str(HERE / "alternatives/express.js")]
    modules = {"NODE_PATH": str((NODE / "node_modules").absolute()), "WORKERS": str(workers)}
    gunicorn = [
        *(str(PYTHON / "gunicorn"), f"--bind=127.0.0.1:{port}", f"--workers={workers}", "--threads=32"),
        *(f"--chdir={HERE / 'alternatives'}", "flask_app:app"),
    ]
    uvicorn = [
        *(str(PYTHON / "uvicorn"), f"--port={port}", f"--workers={workers}", "--no-access-log"),
        *(f"--app-dir={HERE / 'alternatives'}", "fastapi_app:app"),
    ]
    node_modules = NODE / "node_modules/pg"
    return [
        Stack("Express + axios, nothing stored", express, modules, needs=node_modules),
        this_service("this service, sealed, SQLite", f"sqlite:///{sqlite}", **ports),
        this_service("this service, sealed, PostgreSQL", postgresql, **ports),
        *([bare_tornado()] if workers == 1 else []),
        Stack("Express + axios + pg, PostgreSQL", express, modules, "postgresql", needs=node_modules),
        Stack("Go net/http + pgx, PostgreSQL", [str(GO)], {"GOMAXPROCS": str(workers)}, "postgresql", needs=GO),
        Stack("FastAPI + httpx + async ORM, PostgreSQL", uvicorn, {}, "postgresql+asyncpg", needs=PYTHON / "uvicorn"),
        Stack("Flask + requests + ORM, PostgreSQL", gunicorn, {}, "postgresql+psycopg", needs=PYTHON / "gunicorn"),
    ]


def environment_for(
    stack: Stack, *, port: int, upstream: str, ca_file: Path | None = None, postgresql: str = ""
) -> dict[str, str]:
    """Return the environment a stack is started in."""
    environment = {
        **os.environ,
        **stack.environment,
        "PORT": str(port),
        "UPSTREAM": upstream,
        "WECHAT_OPENID_WECHAT_API_URL": upstream,
    }
    if ca_file is not None:
        # requests takes a variable of the machine before what a program says.
        names = ("CA_FILE", "REQUESTS_CA_BUNDLE", "WECHAT_OPENID_WECHAT_CA_FILE")
        environment |= {name: str(ca_file) for name in names}
    if stack.database is not None:
        environment["DATABASE_URL"] = postgresql.replace("postgresql+psycopg", stack.database)
    return environment
