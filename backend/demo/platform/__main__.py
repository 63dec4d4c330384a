"""`python -m backend.demo.platform --port N`: the simulated platform, until SIGINT or SIGTERM."""

import asyncio
import socket
import sys
from argparse import ArgumentParser, Namespace

from backend.demo.platform import limits
from backend.demo.platform.market import Market
from backend.demo.platform.serve import serve


def _arguments() -> Namespace:
    parser = ArgumentParser("python -m backend.demo.platform", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes any free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--rate", type=int, default=limits.CALLS_PER_SECOND, metavar="CALLS_PER_SECOND"
    )
    parser.add_argument("--seed", type=int, default=0, help="decides what goes wrong and how")
    parser.add_argument(
        "--until-eof", action="store_true", help="end with whoever holds the standard input"
    )
    arguments = parser.parse_args()
    if not 1 <= arguments.rate <= limits.CALLS_PER_SECOND_MAX:
        parser.error(f"--rate is from 1 to {limits.CALLS_PER_SECOND_MAX}")
    return arguments


def main() -> None:
    """Listen, say where in one line, and serve."""
    arguments = _arguments()
    try:
        listening = socket.create_server((arguments.host, arguments.port))
    except (OSError, OverflowError) as error:
        sys.exit(f"cannot listen on {arguments.host}:{arguments.port}: {error}")
    # Connections inherit it. Without it the two parts of an answer are 40 ms apart.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    host, port = listening.getsockname()[:2]

    def say_where() -> None:
        sys.stdout.write(f"platform listens on http://{host}:{port}\n")
        sys.stdout.flush()

    market = Market(arguments.rate, arguments.seed)
    asyncio.run(serve(market, listening, say_where, until_eof=arguments.until_eof))


main()
