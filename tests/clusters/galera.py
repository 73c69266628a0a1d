"""MariaDB Galera: nodes that each take writes, and agree at the commit."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql

from tests.clusters.engine_processes import ServerProcess, folder_of_its_own, program, until
from tests.service.harness import free_port

DATABASE = "wechat"
#: MariaDB refuses to run as root; its packages make this user.
OWNER = "mysql"
SMALL = ("--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--performance-schema=OFF", "--skip-log-bin")


class GaleraNode(ServerProcess):
    """One node, reached at `address`."""

    def __init__(self, folder: Path, name: str, peers: list[int], number: int, provider: Path) -> None:
        self.port, own, transfers, state = free_port(), peers[number], free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(folder, OWNER)
        self._data = folder / "data"
        options = f"gmcast.listen_addr=tcp://127.0.0.1:{own};ist.recv_addr=127.0.0.1:{transfers};gcache.size=16M"
        super().__init__(
            [
                program("mariadbd", "/usr/sbin"),
                "--no-defaults",
                f"--datadir={self._data}",
                f"--socket={folder}/s",
                f"--port={self.port}",
                "--bind-address=127.0.0.1",
                *SMALL,
                "--binlog-format=ROW",
                "--innodb-autoinc-lock-mode=2",
                "--wsrep-on=ON",
                f"--wsrep-provider={provider}",
                f"--wsrep-provider-options={options}",
                f"--wsrep-cluster-name={name}",
                f"--wsrep-node-address=127.0.0.1:{own}",
                f"--wsrep-sst-receive-address=127.0.0.1:{state}",
                f"--wsrep-cluster-address=gcomm://{','.join(f'127.0.0.1:{port}' for port in peers)}",
            ],
            folder,
            OWNER,
        )

    def make(self) -> None:
        subprocess.run(
            [
                program("mariadb-install-db"),
                "--no-defaults",
                f"--datadir={self._data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=self._folder,
        )

    def copy_from(self, other: "GaleraNode") -> None:
        """Begin with another node's data, so that nothing has to be sent over when this one joins."""
        command = ["cp", "--archive", other._data, self._data]
        subprocess.run(command, check=True, user=self._user, cwd=self._folder)

    def ask(self, statement: str) -> tuple:
        with pymysql.connect(host="127.0.0.1", port=self.port, user="root", connect_timeout=2, read_timeout=5) as own:
            cursor = own.cursor()
            cursor.execute(statement)
            return cursor.fetchall()

    def begin(self, *more: str) -> None:
        """Start it and return when it takes statements."""
        self.start(*more)
        until(lambda: self.status("wsrep_ready") == "ON", "a ready node", self)

    def status(self, name: str) -> str:
        return self.ask(f"SHOW STATUS LIKE '{name}'")[0][1]


class Galera:
    """A cluster of them."""

    def __init__(self, nodes: list[GaleraNode]) -> None:
        self.nodes = nodes

    def url_of(self, *nodes: GaleraNode) -> str:
        """Return the URL by which these nodes are tried in this order."""
        return f"mysql://root@{','.join(node.address for node in nodes)}/{DATABASE}"

    @property
    def url(self) -> str:
        return self.url_of(*self.nodes)


@contextmanager
def galera_of_its_own(size: int = 3) -> Iterator[Galera]:
    """Start a cluster, and take it away at the end."""
    provider = program("libgalera_smm.so", "/usr/lib/galera", "/usr/lib/*/galera")
    with folder_of_its_own("galera", OWNER) as folder:
        peers = [free_port() for _ in range(size)]
        nodes = [GaleraNode(folder / str(number), folder.name, peers, number, provider) for number in range(size)]
        first, *others = nodes
        try:
            first.make()
            first.begin("--wsrep-new-cluster")
            first.ask(f"CREATE DATABASE {DATABASE}")
            first.stop()
            for node in others:
                node.copy_from(first)
            first.begin("--wsrep-new-cluster")
            for node in others:
                node.begin()
            yield Galera(nodes)
        finally:
            for node in nodes:
                node.kill()
