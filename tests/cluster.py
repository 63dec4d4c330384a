"""A Valkey Cluster of our own: three shards, each a primary with a replica."""

import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import redis

from backend.embedded.programs import valkey_program
from loadtests.processes import free_ports

SHARDS = 3
SLOTS = 16_384
PRIMARY_AND_REPLICA = 4
"""The length of a row that says first slot, last slot, primary and one replica."""
NODE_TIMEOUT_MS = 800
"""How long a server is silent before the others hold it for dead."""
PATIENCE_SECONDS = 20.0
LOOK_AGAIN_SECONDS = 0.05


class ClusterServer:
    """One server of the cluster, alone and empty at first."""

    def __init__(self, folder: Path, port: int, cluster_port: int) -> None:
        folder.mkdir()
        self.port, self.cluster_port = port, cluster_port
        options = {
            "port": self.port,
            "cluster-port": self.cluster_port,
            "bind": "127.0.0.1",
            "cluster-enabled": "yes",
            "cluster-node-timeout": NODE_TIMEOUT_MS,
            "cluster-config-file": "nodes.conf",
            "cluster-replica-validity-factor": 0,
            "repl-diskless-sync-delay": 0,
            "save": "",
            "dir": folder,
        }
        command = [str(valkey_program())]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self._client = redis.Redis(port=self.port)

    def ask(self, *arguments: Any) -> Any:
        return self._client.execute_command(*arguments)  # type: ignore[no-untyped-call]

    def answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._client.close()


class ValkeyClusterServers:
    """The servers of a cluster; use as a context."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        self.servers: list[ClusterServer] = []
        with ExitStack() as cleanup:
            cleanup.callback(self._stop)
            self._start()
            cleanup.pop_all()
        return self

    def _start(self) -> None:
        ports = free_ports(4 * SHARDS)
        for n in range(2 * SHARDS):
            self.servers.append(ClusterServer(self._folder / str(n), *ports[2 * n : 2 * n + 2]))
        for server in self.servers:
            _wait(server.answers)
        first = self.servers[0]
        for server in self.servers[1:]:
            server.ask("CLUSTER", "MEET", "127.0.0.1", first.port, first.cluster_port)
        bounds = [SLOTS * n // SHARDS for n in range(SHARDS + 1)]
        for n, server in enumerate(self.servers[:SHARDS]):
            server.ask("CLUSTER", "ADDSLOTSRANGE", bounds[n], bounds[n + 1] - 1)
        _wait(lambda: all(_sees_all(server) for server in self.servers))
        for n, server in enumerate(self.servers[SHARDS:]):
            server.ask("CLUSTER", "REPLICATE", self.servers[n].ask("CLUSTER", "MYID"))
        _wait(lambda: all(_is_settled(server) for server in self.servers))

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        for server in self.servers:
            server.kill()

    @property
    def url(self) -> str:
        return f"valkey+cluster://127.0.0.1:{self.servers[-1].port}"

    def flush(self) -> None:
        for server in self.servers[:SHARDS]:
            server.ask("FLUSHALL")

    def primary_of(self, key: str) -> ClusterServer:
        """Return the server that has a key now."""
        asked = next(server for server in self.servers if server.answers())
        slot = int(asked.ask("CLUSTER", "KEYSLOT", key))
        for first, last, primary, *_ in asked.ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(each for each in self.servers if each.port == primary[1])
        raise AssertionError(f"nobody has slot {slot}")


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the cluster does not come up")
        time.sleep(LOOK_AGAIN_SECONDS)


def _sees_all(server: ClusterServer) -> bool:
    told = server.ask("CLUSTER", "INFO").decode().split()
    return "cluster_state:ok" in told and f"cluster_known_nodes:{2 * SHARDS}" in told


def _is_settled(server: ClusterServer) -> bool:
    """Whether every shard has its replica, and it has copied its primary."""
    shards = server.ask("CLUSTER", "SLOTS")
    link = server.ask("INFO", "replication").get("master_link_status", "up")
    has_replicas = len(shards) == SHARDS and all(
        len(shard) == PRIMARY_AND_REPLICA for shard in shards
    )
    return has_replicas and link == "up"
