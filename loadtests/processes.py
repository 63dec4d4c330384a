"""Yipan's processes as they run in production, for whoever measures them or breaks them."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack

READY_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 0.1


def start_role(role: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a command of `yipan` as a process of its own, with all its options."""
    return subprocess.Popen([sys.executable, "-m", "backend", *role.split()], env=environment)


async def wait_until_ready(address: tuple[str, int], process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody answers at an address; raises RuntimeError if the process has ended."""
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    while asyncio.get_running_loop().time() < deadline and process.poll() is None:
        try:
            _, writer = await asyncio.open_connection(*address)
        except OSError:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        else:
            writer.close()
            return
    raise RuntimeError("the server did not start; its output says why")


def free_port() -> int:
    """Return a port of loopback on which nobody listens now."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Return so many different ports of loopback on which nobody listens now."""
    with ExitStack() as probes:
        opened = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in opened:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in opened]
