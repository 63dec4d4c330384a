"""`python -m backend.demo.carrier --port N`: the simulated carrier, until SIGINT or SIGTERM."""

import asyncio
import signal
import socket
import sys
from argparse import ArgumentParser

import uvicorn

from backend.demo.carrier.depot import Depot
from backend.demo.carrier.http import create_app


async def _serve(depot: Depot, listening: socket.socket, *, until_eof: bool) -> None:
    config = uvicorn.Config(
        create_app(depot), ws="none", lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.handle_exit, number, None)
    if until_eof:
        loop.add_reader(sys.stdin.fileno(), server.handle_exit, signal.SIGTERM, None)
    host, port = listening.getsockname()[:2]
    sys.stdout.write(f"carrier listens on http://{host}:{port}\n")
    sys.stdout.flush()
    await server.serve(sockets=[listening])


def main() -> None:
    """Listen, say where in one line, and serve."""
    parser = ArgumentParser("python -m backend.demo.carrier", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes any free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--secret", required=True, help="of the one account that there is")
    parser.add_argument("--seed", type=int, default=0, help="what is told twice, and out of order")
    parser.add_argument("--until-eof", action="store_true", help="end with the standard input")
    arguments = parser.parse_args()
    try:
        listening = socket.create_server((arguments.host, arguments.port))
    except (OSError, OverflowError) as error:
        sys.exit(f"cannot listen on {arguments.host}:{arguments.port}: {error}")
    depot = Depot(arguments.secret, arguments.seed)
    asyncio.run(_serve(depot, listening, until_eof=arguments.until_eof))


main()
