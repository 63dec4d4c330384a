"""Serving the platform until a signal comes."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from backend.demo.platform import limits
from backend.demo.platform.control import ControlDoor
from backend.demo.platform.http import Severable, answer_refusal
from backend.demo.platform.market import Market
from backend.demo.platform.refusal import Refusal
from backend.demo.platform.seller import SellerApi


def create_app(market: Market) -> Starlette:
    """Return the application on a market."""
    routes = [*SellerApi(market).routes(), *ControlDoor(market).routes()]
    return Starlette(routes=routes, exception_handlers={Refusal: answer_refusal})


async def serve(
    market: Market,
    listening: socket.socket,
    is_ready: Callable[[], None],
    *,
    until_eof: bool = False,
) -> None:
    """Serve on an open socket until SIGINT or SIGTERM; call `is_ready` when both are heeded.

    With `until_eof` also until the standard input ends: with whoever started it, however that dies.
    """
    config = uvicorn.Config(
        create_app(market),
        http=Severable,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=limits.KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=limits.SHUTDOWN_SECONDS,
    )
    server = uvicorn.Server(config)
    # They heed signals before uvicorn does, and take what it raises again at its end.
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
    if until_eof:
        asyncio.get_running_loop().add_reader(
            sys.stdin.fileno(), server.handle_exit, signal.SIGTERM, None
        )
    is_ready()
    await server.serve(sockets=[listening])
