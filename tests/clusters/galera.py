"""MariaDB Galera: nodes that each take writes, and agree at the commit."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engine_processes import folder_of_its_own, loopback_address, program
from tests.mariadb_server import DATABASE, OWNER, MariaDBServer
from tests.service.harness import free_port


class GaleraNode(MariaDBServer):
    """One node."""

    def __init__(self, folder: Path, cluster: str, peers: list[str], number: int, provider: Path) -> None:
        own = peers[number]
        host = own.partition(":")[0]
        options = f"gmcast.listen_addr=tcp://{own};ist.recv_addr={host}:{free_port()};gcache.size=16M"
        super().__init__(
            folder,
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            "--wsrep-on=ON",
            f"--wsrep-provider={provider}",
            f"--wsrep-provider-options={options}",
            f"--wsrep-cluster-name={cluster}",
            f"--wsrep-node-address={own}",
            f"--wsrep-sst-receive-address={host}:{free_port()}",
            f"--wsrep-cluster-address=gcomm://{','.join(peers)}",
        )

    def copy_from(self, other: "GaleraNode") -> None:
        """Begin with another node's data, so that little has to be sent over when this one joins."""
        command = ["cp", "--archive", other._data, self._data]
        subprocess.run(command, check=True, user=self._user, cwd=self._folder)

    def is_ready(self) -> bool:
        return self.status("wsrep_ready") == "ON"

    def status(self, name: str) -> str:
        return self.ask(f"SHOW STATUS LIKE '{name}'")[0][1]


class Galera:
    """A cluster of them."""

    def __init__(self, nodes: list[GaleraNode]) -> None:
        self.nodes = nodes

    @property
    def url(self) -> str:
        return self.url_of(*self.nodes)

    def url_of(self, *nodes: GaleraNode) -> str:
        """Return the URL by which these nodes are tried in this order."""
        return f"mysql://root@{','.join(node.address for node in nodes)}/{DATABASE}"


@contextmanager
def galera_of_its_own(size: int = 3) -> Iterator[Galera]:
    """Start a cluster, and take it away at the end."""
    provider = program("libgalera_smm.so", "/usr/lib/galera", "/usr/lib/*/galera")
    with folder_of_its_own("galera", OWNER) as folder:
        peers = [f"{loopback_address()}:{free_port()}" for _ in range(size)]
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
