"""The HTTP application: GraphQL, the intake stream, health and metrics."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import structlog
from cross_web import HTTPException
from graphql import GraphQLError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult

from backend.admission.valkey import ValkeyAway
from backend.after_sales.collecting import note_collected
from backend.db.errors import DatabaseUnavailable, YipanError
from backend.db.pool import SQL
from backend.documents.find import documents_by_ids
from backend.documents.pdf import pdf_of
from backend.fulfilment.carriers.model import TrackingEvent
from backend.fulfilment.carriers.tracking import check_signature, record_tracking
from backend.fulfilment.errors import InvalidFulfilmentInput, InvalidSignature, UnknownCarrier
from backend.metrics import HTTP_SECONDS, QUEUE, exposition
from backend.orders.intake_stream import place_stream
from backend.runtime import Runtime
from backend.turnstile import TooManyWaiting, Turnstile
from graphql_schema.context import Context, Services
from graphql_schema.paging import id_of
from graphql_schema.schema import build_schema
from tenants.errors import TokenInvalid
from tenants.principal import Permission, PermissionMissing

log = structlog.get_logger(__name__)

BODY_BYTES_MAX = 2 * 1024 * 1024
"""Of a GraphQL request; an order of 500 lines takes 50 kB."""
UNAVAILABLE = 503
WHOLE_BODIES = ("/graphql", "/carriers/")
CARRIER_EVENTS = "/carriers/{tenant:int}/{carrier}/events"
NDJSON = "application/x-ndjson"
PDF = "application/pdf"
OpenRuntime = AbstractAsyncContextManager[Runtime]


class Api(GraphQL[Context, None]):
    """GraphQL over HTTP and web sockets, with our context."""

    def __init__(self, *, is_development: bool) -> None:
        super().__init__(
            build_schema(),
            graphql_ide="graphiql" if is_development else None,
            allow_queries_via_get=False,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
        )
        self._turnstile = Turnstile()

    async def execute_operation(self, **asked: Any) -> Any:  # type: ignore[override]
        """Execute when it is the tenant's turn."""
        principal = asked["context"].known_principal
        try:
            async with self._turnstile.turn(principal and principal.tenant_id):
                return await super().execute_operation(**asked)
        except TooManyWaiting as error:
            extensions = {"code": error.code, "retryAfterSeconds": error.retry_after_seconds}
            return ExecutionResult(None, [GraphQLError(error.message, extensions=extensions)])

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> Context:
        context = Context(request, services_of(request.app.state.runtime))
        try:
            await context.authenticate(request.headers.get("authorization"))
        except TokenInvalid as error:
            raise HTTPException(401, error.message) from error
        except DatabaseUnavailable as error:
            raise HTTPException(503, error.message) from error
        if context.known_principal is not None:
            structlog.contextvars.bind_contextvars(
                tenant=context.known_principal.tenant_id, subject=context.known_principal.subject
            )
        return context

    def decode_json(self, data: str | bytes) -> object:
        try:
            return msgspec.json.decode(data)
        except msgspec.DecodeError as error:
            raise HTTPException(400, f"The body is not JSON: {error}") from error

    def encode_json(self, data: object) -> bytes:
        return msgspec.json.encode(data)

    async def on_ws_connect(self, context: Context) -> Any:
        """Take the token from the connection's parameters, where browsers can put it."""
        parameters = context.connection_params or {}
        credential = parameters.get("Authorization") or parameters.get("authorization")
        try:
            await context.authenticate(credential if isinstance(credential, str) else None)
        except (TokenInvalid, DatabaseUnavailable) as error:
            raise ConnectionRejectionError({"reason": error.message}) from error
        return await super().on_ws_connect(context)


def services_of(runtime: Runtime) -> Services:
    """Return what the API needs of the process."""
    return Services(
        database=runtime.database,
        intake=runtime.intake,
        books=runtime.books,
        events=runtime.events,
        authenticator=runtime.authenticator,
        regions=runtime.regions,
        publish_levels=runtime.publish_levels,
        publish_counters=runtime.publish_counters,
        dealing=runtime.dealing,
    )


async def intake_orders(request: Request) -> Response:
    """`POST /intake/orders`: NDJSON in, NDJSON out, an answer a line."""
    runtime: Runtime = request.app.state.runtime
    context = Context(request, services_of(runtime))
    try:
        await context.authenticate(request.headers.get("authorization"))
        context.principal.require(Permission.ORDERS_PLACE)
    except TokenInvalid as error:
        return _refusal(401, error.code, error.message)
    except PermissionMissing as error:
        return _refusal(403, error.code, str(error))
    except DatabaseUnavailable as error:
        return _refusal(503, error.code, error.message)
    stream = place_stream(
        runtime.intake, context.principal, request.stream(), partial(id_of, "Order")
    )
    return AnswerStream(stream, media_type=NDJSON)


async def document_pdf(request: Request) -> Response:
    """`GET /documents/{number}.pdf`: a document as PDF, for who may see it."""
    runtime: Runtime = request.app.state.runtime
    context = Context(request, services_of(runtime))
    try:
        await context.authenticate(request.headers.get("authorization"))
        context.principal.require(Permission.DEALERS_READ)
        async with context.reading() as tx:
            found = await documents_by_ids(tx, [request.path_params["number"]])
    except TokenInvalid as error:
        return _refusal(401, error.code, error.message)
    except PermissionMissing as error:
        return _refusal(403, error.code, str(error))
    except DatabaseUnavailable as error:
        return _refusal(UNAVAILABLE, error.code, error.message)
    if not found:
        return _refusal(404, "UNKNOWN_DOCUMENT", "There is no such document that you may see.")
    (document,) = found
    body = await asyncio.to_thread(pdf_of, document)
    name = f'inline; filename="{document.code}.pdf"'
    return Response(body, media_type=PDF, headers={"content-disposition": name})


async def carrier_events(request: Request) -> Response:
    """`POST /carriers/{tenant}/{carrier}/events`: what a carrier tells, as signed JSON."""
    runtime: Runtime = request.app.state.runtime
    tenant_id, carrier = request.path_params["tenant"], request.path_params["carrier"]
    body = await request.body()
    try:
        signature = request.headers.get("x-signature", "")
        await check_signature(runtime.database, tenant_id, carrier, body, signature)
        events = msgspec.json.decode(body, type=list[TrackingEvent])
        tracked = await record_tracking(
            runtime.database, tenant_id, carrier, events, note_collected
        )
    except (UnknownCarrier, InvalidSignature) as error:
        return _refusal(401, error.code, error.message)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _refusal(400, InvalidFulfilmentInput.code, f"The body cannot be understood: {error}")
    except DatabaseUnavailable as error:
        return _refusal(UNAVAILABLE, error.code, error.message)
    except YipanError as error:
        return _refusal(400, error.code, error.message)
    return JSONResponse(tracked._asdict())


class AnswerStream(StreamingResponse):
    """Answers while the request is still being read, so nobody else may wait for its messages."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.stream_response(send)


async def healthz(request: Request) -> Response:
    """Whether the process lives."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Whether every part answers; says which does not. Valkey may be away: orders go on."""
    runtime: Runtime = request.app.state.runtime
    parts = {"database": await _database_state(runtime), "valkey": await _valkey_state(runtime)}
    is_ready = parts["database"] == "ok"
    return JSONResponse(
        {"status": "ready" if is_ready else "not ready", "parts": parts},
        status_code=200 if is_ready else 503,
    )


async def metrics(request: Request) -> Response:
    """What Prometheus reads."""
    runtime: Runtime = request.app.state.runtime
    QUEUE.set(sum(lane.depth for lane in runtime.intake.lanes.values()))
    return Response(exposition(), media_type=CONTENT_TYPE_LATEST)


def create_app(opened: OpenRuntime, *, is_development: bool) -> ASGIApp:
    """Return the application; the runtime is opened when it starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with opened as runtime:
            app.state.runtime = runtime
            yield

    api = Api(is_development=is_development)
    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/graphql", api, methods=["GET", "POST"]),
            WebSocketRoute("/graphql", api),
            Route("/intake/orders", intake_orders, methods=["POST"]),
            Route(CARRIER_EVENTS, carrier_events, methods=["POST"]),
            Route("/documents/{number:int}.pdf", document_pdf),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ],
    )
    return RequestLog(BodyLimit(app))


class BodyLimit:
    """Refuses a body over the limit before it is read into memory; the intake streams its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(WHOLE_BODIES):
            await self.app(scope, receive, send)
            return
        body = await _read_body(receive)
        if body is None:
            limit = f"A body has at most {BODY_BYTES_MAX} bytes; stream orders to /intake/orders."
            await _refusal(413, "TOO_LARGE", limit)(scope, receive, send)
            return
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_body() -> Message:
            return unread.pop() if unread else await receive()

        await self.app(scope, receive_body, send)


async def _read_body(receive: Receive) -> bytes | None:
    """Return a request's body, or None where it is over the limit."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            return None
        if not message.get("more_body", False):
            return bytes(body)


REQUEST_ID_BYTES = 16


class RequestLog:
    """Gives every request an id, logs it and counts it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = os.urandom(REQUEST_ID_BYTES).hex()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request_id)
        started, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
                if status == UNAVAILABLE:
                    message["headers"].append((b"retry-after", b"1"))
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - started
            HTTP_SECONDS.labels(_known_path(scope["path"]), str(status)).observe(seconds)
            log.debug("http", path=scope["path"], status=status, seconds=round(seconds, 4))


KNOWN_PATHS = {"/graphql", "/intake/orders", "/healthz", "/readyz", "/metrics"}


def _known_path(path: str) -> str:
    """Metrics keep a label a path: only those that exist, whatever clients ask for."""
    return path if path in KNOWN_PATHS else "other"


def _refusal(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)


async def _database_state(runtime: Runtime) -> str:
    try:
        async with runtime.database.platform_transaction(read_only=True) as tx:
            return "ok" if await tx.fetch_value(SQL.role_is_safe) else "the role is not safe"
    except YipanError as error:
        return error.message


async def _valkey_state(runtime: Runtime) -> str:
    try:
        await runtime.valkey.command("PING")
    except ValkeyAway as error:
        return error.message
    return "ok"
