"""What the demo simulates runs in processes of its own, which end with it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from backend.environment import ServersDidNotStart

START_SECONDS, END_SECONDS = 20.0, 10.0


@asynccontextmanager
async def simulated(name: str, *words: str) -> AsyncIterator[str]:
    """Start `backend.demo.NAME` on a free port of this machine; its address, until the block ends.

    Raises ServersDidNotStart.
    """
    module = f"backend.demo.{name}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, "--port", "0", "--until-eof", *words),
        stdin=asyncio.subprocess.PIPE,  # kept open: it ends when we do
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is ours to pass on
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        if not line:
            raise ServersDidNotStart(
                f"The simulated {name} did not start; `python -m {module} --port 0` says why."
            )
        yield line.decode().split()[-1]
    finally:
        with suppress(ProcessLookupError):  # it may have ended by itself
            process.terminate()
        await asyncio.wait_for(process.wait(), END_SECONDS)
