"""The simulated carrier as a child process, and who plays fate with it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).parents[2]
SECRET = "the secret of the carrier"
END_SECONDS = 10.0


@contextmanager
def carrier_process(*words: str) -> Iterator[str]:
    """A carrier on a port of its own, by its address; it does not outlive the block."""
    command = [sys.executable, "-m", "backend.demo.carrier", "--port", "0", "--secret", SECRET]
    process = subprocess.Popen(
        [*command, *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, "the carrier did not start"
        yield line.split()[-1]
    finally:
        process.terminate()
        try:
            process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


class Fate:
    """What befalls the carrier and its parcels."""

    def __init__(self, url: str, http: httpx2.AsyncClient) -> None:
        self.url, self.http = url, http

    async def call_back(self, url: str) -> None:
        await self._ask("PUT", "/control/callback", {"url": url})

    async def fail(self, *faults: str) -> None:
        """Let the next calls go wrong: `error`, `garbage`, `lost`."""
        await self._ask("POST", "/control/faults", {"faults": faults})

    async def tell(
        self, *waybills: str, kinds: list[str] | None = None, is_tidy: bool = True
    ) -> list[int]:
        """Let things befall parcels; returns what Yipan answered to each message."""
        story = {"waybills": waybills, "kinds": kinds, "isTidy": is_tidy}
        return list((await self._ask("POST", "/control/stories", story))["answers"])

    async def forget(self) -> None:
        """Let the carrier know of no parcel any more: every test has the same ids."""
        await self._ask("DELETE", "/control/parcels")

    async def parcels(self) -> dict[str, Any]:
        return await self._ask("GET", "/control/parcels")

    async def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = await self.http.request(method, self.url + path, json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())
