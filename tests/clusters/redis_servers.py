"""Redis on more than one server: a primary whose Sentinels name another when it dies, and a Redis Cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.engine_processes import ServerProcess, folder_of_its_own, program, until
from tests.service.harness import free_port

SERVICE = "wechat"
PASSWORD = "s3cret"
DOWN_AFTER_MILLISECONDS = 1000
#: Slots of a Redis Cluster.
SLOTS = 16_384


class RedisServer(ServerProcess):
    """A server that keeps what it answered."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.port = free_port()
        folder.mkdir()
        own = {"port": self.port, "bind": "127.0.0.1", "dir": folder, "save": '""', "daemonize": "no"}
        kept = {"appendonly": "yes", "appendfsync": "always"}
        lines = [f"{name.replace('_', '-')} {value}" for name, value in {**own, **kept, **options}.items()]
        (folder / "conf").write_text("\n".join(lines) + "\n")
        super().__init__([program("redis-server"), folder / "conf"], folder)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, password=PASSWORD, socket_timeout=2, socket_connect_timeout=2)

    def begin(self) -> None:
        self.start()
        until(lambda: self.client().ping(), "a Redis server", self)


class RedisSentinel(ServerProcess):
    """A process that watches a primary and names another when it is dead."""

    def __init__(self, folder: Path, primary: RedisServer, quorum: int) -> None:
        self.port = free_port()
        folder.mkdir()
        (folder / "conf").write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary.port} {quorum}\n"
            f"sentinel auth-pass {SERVICE} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MILLISECONDS}\n"
            f"sentinel failover-timeout {SERVICE} 10000\n"
        )
        super().__init__([program("redis-server"), folder / "conf", "--sentinel"], folder)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def knows(self, *, replicas: int, sentinels: int) -> bool:
        with redis.Redis(port=self.port, socket_timeout=2) as client:
            state = client.sentinel_master(SERVICE)
        return state["num-slaves"] == replicas and state["num-other-sentinels"] == sentinels


class WatchedRedis:
    """A primary, its replicas and Sentinels."""

    def __init__(self, servers: list[RedisServer], sentinels: list[RedisSentinel]) -> None:
        self.primary, *self.replicas = servers
        self.sentinels = sentinels

    def url(self, options: str = "") -> str:
        places = ",".join(one.address for one in self.sentinels)
        return f"redis+sentinel://:{PASSWORD}@{places}/{SERVICE}/0{options}"

    def current_primary(self) -> int:
        """Return the port of the primary that Sentinel names."""
        with redis.Redis(port=self.sentinels[0].port, socket_timeout=2) as client:
            return int(client.sentinel_get_master_addr_by_name(SERVICE)[1])


@contextmanager
def watched_redis_of_its_own(replicas: int = 2, sentinels: int = 3) -> Iterator[WatchedRedis]:
    """Start a primary with replicas and Sentinels, and take them away at the end."""
    with folder_of_its_own("sentinel") as folder:
        words = {"requirepass": PASSWORD, "masterauth": PASSWORD}
        servers = [RedisServer(folder / "primary", **words)]
        for number in range(replicas):
            own = {**words, "replicaof": f"127.0.0.1 {servers[0].port}"}
            servers.append(RedisServer(folder / f"replica-{number}", **own))
        watching = [RedisSentinel(folder / f"sentinel-{n}", servers[0], sentinels // 2 + 1) for n in range(sentinels)]
        try:
            for server in servers:
                server.begin()
            until(lambda: len(_replicas_online(servers[0])) == replicas, "replicas that are in step", servers[0])
            for one in watching:
                one.start()
            for one in watching:
                until(lambda one=one: one.knows(replicas=replicas, sentinels=sentinels - 1), "Sentinels", one)
            yield WatchedRedis(servers, watching)
        finally:
            for one in (*watching, *servers):
                one.kill()


def _replicas_online(primary: RedisServer) -> list[object]:
    with primary.client() as client:
        found = client.info("replication")
    return [one for name, one in found.items() if name.startswith("slave") and "online" in str(one)]


class RedisCluster:
    """Nodes that share the slots among them; each primary has a replica or none."""

    def __init__(self, nodes: list[RedisServer]) -> None:
        self.nodes = nodes

    def url(self, options: str = "") -> str:
        return f"redis+cluster://:{PASSWORD}@{','.join(node.address for node in self.nodes)}/{options}"

    def primary_of(self, key: str) -> RedisServer:
        """Return the node that has a key's slot."""
        for node in self.nodes:
            if node.runs:
                with node.client() as client:
                    slot = client.cluster("KEYSLOT", key)
                    for first, last, primary, *_ in client.execute_command("CLUSTER SLOTS"):
                        if first <= slot <= last:
                            return next(one for one in self.nodes if one.port == primary[1])
        raise AssertionError("no node has the slot")


@contextmanager
def redis_cluster_of_its_own(primaries: int = 3, replicas: int = 1) -> Iterator[RedisCluster]:
    """Start a Redis Cluster, and take it away at the end."""
    size = primaries * (1 + replicas)
    with folder_of_its_own("cluster") as folder:
        options = {
            "cluster-enabled": "yes",
            "cluster-node-timeout": DOWN_AFTER_MILLISECONDS,
            "requirepass": PASSWORD,
            "masterauth": PASSWORD,
        }
        nodes = [RedisServer(folder / str(n), **options, cluster_port=free_port()) for n in range(size)]
        try:
            for node in nodes:
                node.begin()
            _join(nodes, primaries)
            yield RedisCluster(nodes)
        finally:
            for node in nodes:
                node.kill()


def _join(nodes: list[RedisServer], primaries: int) -> None:
    """Share the slots, have the nodes meet, and make the rest of them replicas."""
    names = []
    for number, node in enumerate(nodes):
        with node.client() as client:
            names.append(client.execute_command("CLUSTER MYID").decode())
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            if number < primaries:
                first, last = SLOTS * number // primaries, SLOTS * (number + 1) // primaries - 1
                client.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
            bus = client.config_get("cluster-port")["cluster-port"]
        with nodes[0].client() as first_node:
            if number:
                first_node.execute_command("CLUSTER MEET", "127.0.0.1", node.port, bus)
    for node in nodes:
        until(lambda node=node: _knows(node, len(nodes)), "nodes that know each other", node)
    for number, node in enumerate(nodes[primaries:]):
        with node.client() as client:
            client.execute_command("CLUSTER REPLICATE", names[number % primaries])
    for node in nodes:
        until(lambda node=node: _is_whole(node), "a whole cluster", node)
    for node in nodes[primaries:]:
        until(lambda node=node: node.client().info("replication")["master_link_status"] == "up", "a replica", node)


def _knows(node: RedisServer, size: int) -> bool:
    with node.client() as client:
        return len(client.execute_command("CLUSTER NODES")) == size


def _is_whole(node: RedisServer) -> bool:
    with node.client() as client:
        state = client.execute_command("CLUSTER INFO")
    return state["cluster_state"] == "ok"
