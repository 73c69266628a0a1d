"""A MariaDB server of a test's own, which it may set up, stop and kill as it likes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql

from tests.engine_processes import ServerProcess, folder_of_its_own, loopback_address, program, until
from tests.service.harness import free_port

DATABASE = "wechat"
#: MariaDB refuses to run as root; its packages make this user.
OWNER = "mysql"
SMALL = ("--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--performance-schema=OFF", "--skip-log-bin")


class MariaDBServer(ServerProcess):
    """A server in a folder, reached at `address`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.host, self.port = loopback_address(), free_port()
        self.address = f"{self.host}:{self.port}"
        folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(folder, OWNER)
        self._data = folder / "data"
        own = [f"--datadir={self._data}", f"--socket={folder}/s", f"--port={self.port}", f"--bind-address={self.host}"]
        command = [program("mariadbd", "/usr/sbin"), "--no-defaults", *own, *SMALL, *options]
        super().__init__(command, folder, OWNER)

    @property
    def url(self) -> str:
        return f"mysql://root@{self.address}/{DATABASE}"

    def make(self) -> None:
        own = [f"--datadir={self._data}", "--auth-root-authentication-method=normal", "--skip-test-db"]
        command = [program("mariadb-install-db"), "--no-defaults", *own]
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd=self._folder)

    def begin(self, *more: str) -> None:
        """Start it and return when it takes statements."""
        self.start(*more)
        until(self.is_ready, "a server that takes statements", self)

    def is_ready(self) -> bool:
        return self.ask("SELECT 1") == ((1,),)

    def ask(self, statement: str, database: str | None = None) -> tuple:
        with pymysql.connect(
            host=self.host, port=self.port, user="root", database=database, connect_timeout=2, read_timeout=5
        ) as own:
            cursor = own.cursor()
            cursor.execute(statement)
            return cursor.fetchall()


@contextmanager
def mariadb_of_its_own(*options: str) -> Iterator[MariaDBServer]:
    """Start a server with these options, and take it away at the end."""
    with folder_of_its_own("mariadb", OWNER) as folder:
        server = MariaDBServer(folder / "server", *options)
        server.make()
        try:
            server.begin()
            server.ask(f"CREATE DATABASE {DATABASE}")
            yield server
        finally:
            server.kill()
