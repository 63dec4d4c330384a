"""The command `yipan`: reads the settings, puts the parts together, reports what went wrong."""

import asyncio
import gc
import signal
import socket as socket_module
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from backend.app import create_app
from backend.audit.audit import audit as run_audit
from backend.db.errors import YipanError
from backend.demo.run import run_demo
from backend.demo.seed import seed_demo
from backend.environment import Servers, prepare, servers
from backend.event_types import PAYLOADS, payload_schema
from backend.logs import set_up_logs
from backend.machines import page_of
from backend.messaging import run_intake_topic, run_relay
from backend.metrics import SHARED_FOLDER, serve_metrics
from backend.orders.intake_stream import place_stream
from backend.processes import MACHINES
from backend.routing.model import Preset
from backend.runtime import Runtime, open_runtime
from backend.server import PortInUse, Server, Supervised, inherited_socket, open_socket
from backend.settings import Settings, WrongEnvironment, environment_of, read_settings
from backend.supervisor import Supervisor
from backend.tracing import start_traces
from graphql_schema.paging import id_of
from graphql_schema.schema import schema_text
from loadtests.bench.run import BenchName, run_bench
from loadtests.replay.olist import replay_olist
from loadtests.replay.olist_report import OlistReport, counts_of, tables_of
from loadtests.replay.online_retail import replay_online_retail
from loadtests.replay.report import ReplayReport
from tenants.brands import Brand, UnknownBrand
from tenants.found_brand import BrandDraft, create_brand
from tenants.members import NewUser
from tenants.principal import system_principal

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Yipan (一盘): order management with one pool of goods for every channel.",
    pretty_exceptions_enable=False,
)
console = Console()
errors = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")]
BrandCode = Annotated[str, typer.Option("--brand", help="The brand's code.")]
READ_BYTES = 256 * 1024
GC_THRESHOLDS = (100_000, 20, 20)


class ReplayName(StrEnum):
    """The data sets that can be replayed."""

    ONLINE_RETAIL = "online-retail"
    OLIST = "olist"


class RichProgress:
    """A progress bar on standard error."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("lines"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=errors,
        )
        self._task = self._bar.add_task("lines", total=None)

    def __enter__(self) -> "RichProgress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, lines: int, total: int) -> None:
        self._bar.update(self._task, advance=lines, total=total)


def main() -> None:
    """Run the command; a refusal is one line on standard error and exit status 1."""
    try:
        cli()
    except YipanError as error:
        errors.print(f"[red]{error.message}[/red]", soft_wrap=True, highlight=False)
        sys.exit(1)


@cli.command()
def demo() -> None:
    """Start everything with a living home-appliance brand; Ctrl-C stops it."""
    settings = _settings(quiet=True)
    with servers(settings) as where:
        uvloop.run(run_demo(settings, where, console))


@cli.command()
def serve(
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Serving processes; SIGHUP replaces them in turn.")
    ] = 1,
    socket: Annotated[int | None, typer.Option(hidden=True)] = None,
    ready: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Serve the API (run `yipan worker` beside it)."""
    settings = _settings()
    if socket is not None and ready is not None:
        uvloop.run(_serve_supervised(settings, socket, Supervised(ready)))
        return
    listening = open_socket(settings.host, settings.port)
    with servers(settings) as where:
        if settings.is_development:
            uvloop.run(prepare(where))
        if workers == 1:
            uvloop.run(_server(settings, where, listening).serve())
        else:
            environment = environment_of(
                settings,
                database_url=where.database_url,
                valkey_url=where.valkey_url,
                jwt_secret=where.secret,
            )
            with tempfile.TemporaryDirectory(prefix="yipan-metrics-") as folder:
                uvloop.run(_supervise(workers, environment | {SHARED_FOLDER: folder}, listening))


async def _supervise(
    workers: int, environment: dict[str, str], listening: socket_module.socket
) -> None:
    await Supervisor(workers, environment, listening).run()


async def _serve_supervised(settings: Settings, descriptor: int, supervised: Supervised) -> None:
    with servers(settings) as where:
        listening = inherited_socket(descriptor)
        await _server(settings, where, listening).serve_for(supervised)


def _keep_out_of_garbage_collection() -> None:
    """Leave what the imports made to itself, and look for garbage less often.

    A batch makes a hundred thousand objects that reference counts free; each look at them costs
    milliseconds, in which nobody is answered.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _show(settings: Settings, role: str) -> None:
    """Let a process without HTTP be seen; raises PortInUse, TracesMissing."""
    _trace(settings, role)
    if settings.metrics_port is not None:
        try:
            serve_metrics(settings.host, settings.metrics_port)
        except OSError as error:
            raise PortInUse(
                f"Cannot show metrics on port {settings.metrics_port} ({error.strerror}). Stop "
                "what uses it, or choose another with YIPAN_METRICS_PORT."
            ) from error


def _trace(settings: Settings, role: str) -> None:
    if settings.traces_url:
        start_traces(settings.traces_url, role)


def _server(settings: Settings, where: Servers, listening: socket_module.socket) -> Server:
    _keep_out_of_garbage_collection()
    _trace(settings, "api")
    opened = open_runtime(
        where.database_url,
        where.valkey_url,
        where.secret,
        with_maintenance=settings.is_development,
    )
    return Server(create_app(opened, is_development=settings.is_development), listening)


@cli.command()
def worker() -> None:
    """Do the background work: reaper, warm-up, sweep, waiting orders, partitions, intake topic."""
    settings = _settings()
    with servers(settings) as where:
        _keep_out_of_garbage_collection()
        _show(settings, "worker")
        uvloop.run(_work(settings, where))


async def _work(settings: Settings, where: Servers) -> None:
    async with _runtime(where, with_maintenance=True) as runtime:
        stopped = _stopped()
        if not settings.kafka_bootstrap:
            await stopped
            return
        await run_intake_topic(settings, runtime, stopped)


@cli.command()
def relay() -> None:
    """Publish the events of all brands to Kafka; may run many times, each takes its share."""
    settings = _settings()
    if not settings.kafka_bootstrap:
        raise WrongEnvironment("Cannot relay: YIPAN_KAFKA_BOOTSTRAP says where Kafka is.")
    with servers(settings) as where:
        _keep_out_of_garbage_collection()
        _show(settings, "relay")
        uvloop.run(_relay(settings, where))


async def _relay(settings: Settings, where: Servers) -> None:
    async with _runtime(where, with_maintenance=False) as runtime:
        await run_relay(settings, runtime, _stopped())


def _stopped() -> "asyncio.Task[None]":
    """Return what is done once SIGINT or SIGTERM has come."""
    stop = asyncio.Event()

    async def wait() -> None:
        await stop.wait()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return asyncio.create_task(wait())


@cli.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    settings = _settings()
    with servers(settings) as where:
        applied = uvloop.run(prepare(where))
    told = ", ".join(applied) or "nothing, the schema is the newest"
    console.print(f"Applied: {told}.", soft_wrap=True)


@cli.command()
def seed() -> None:
    """Put the demo's brand into the database, if it is not there."""

    async def work(runtime: Runtime) -> None:
        brand_id = await seed_demo(runtime.database, runtime.brands)
        console.print(f"The demo's brand is there (tenant {brand_id}).")

    _with_runtime(work)


@cli.command("brand-create")
def brand_create(
    code: Annotated[str, typer.Argument(help="Short and stable, as in acme.")],
    name: Annotated[str, typer.Argument(help="For people.")],
    admin: Annotated[str, typer.Option(help="E-mail address of its first user.")],
    password: Annotated[
        str,
        typer.Option(
            prompt=True, hide_input=True, help="Of the first user; asked for if left out."
        ),
    ],
    currency: Annotated[str, typer.Option(help="As in CNY.")] = "CNY",
    time_zone: Annotated[str, typer.Option(help="As in Asia/Shanghai.")] = "Asia/Shanghai",
    group: Annotated[str | None, typer.Option(help="Code of a group, made if it is new.")] = None,
) -> None:
    """Create a brand, with a first user who may do everything in it."""
    draft = BrandDraft(code, name, currency, time_zone, group)
    user = NewUser(admin, admin, password)

    async def work(runtime: Runtime) -> None:
        async with runtime.database.platform_transaction() as tx:
            brand_id = await create_brand(tx, "system:cli", draft, user)
        console.print(f"Brand {code} is tenant {brand_id}; {admin} may log in.")

    _with_runtime(work)


@cli.command("import")
def import_orders(
    file: Annotated[Path, typer.Argument(help="Orders as NDJSON, one a line.", exists=True)],
    brand: BrandCode,
    answers: Annotated[
        Path | None, typer.Option(help="Where to write an answer for each line.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Place the orders of a file: the same records as POST /intake/orders."""

    async def work(runtime: Runtime) -> None:
        tenant = await _brand(runtime, brand)
        counts: dict[str, int] = {}
        out = answers.open("wb") if answers else None
        principal = system_principal(tenant.id, "import")
        async for together in place_stream(
            runtime.intake, principal, read_chunks(file), partial(id_of, "Order")
        ):
            for answer in together.splitlines():
                fields = msgspec.json.decode(answer)
                result = fields.get("status") or fields.get("code")
                counts[result] = counts.get(result, 0) + 1
            if out:
                out.write(together)
        if out:
            out.close()
        _report({"brand": brand, "file": file.name, "results": counts}, as_json=as_json)

    _with_runtime(work)


@cli.command()
def replay(
    name: Annotated[ReplayName, typer.Argument(help="Which data the folder holds.")],
    folder: Annotated[Path, typer.Argument(help="The files.", exists=True, file_okay=False)],
    rejects: Annotated[
        Path | None,
        typer.Option(
            help="Where rejected lines go, with their reason; by default beside the data."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="For what is drawn by chance.")] = None,
    brand: Annotated[
        str | None,
        typer.Option(help="Code of the brand; a run that was interrupted goes on with it."),
    ] = None,
    preset: Annotated[
        Preset | None,
        typer.Option(help="Of olist: what orders are routed by; fewest_splits if left out."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Push real orders through the pipeline in a brand of its own; exit status 1 if it differs."""
    report: ReplayReport | None = None
    run: Callable[..., Awaitable[ReplayReport]] = replay_olist
    if name is ReplayName.ONLINE_RETAIL:
        run = replay_online_retail
        if preset is not None:
            raise typer.BadParameter("Only olist is routed by a preset.", param_hint="--preset")
    options = {"seed": seed, "preset": preset}

    async def work(runtime: Runtime) -> None:
        nonlocal report
        given = {option: value for option, value in options.items() if value is not None}
        path = rejects or read_settings().data / f"rejects-{name}.csv"
        with RichProgress() as progress:
            report = await run(
                runtime, folder, rejects=path, progress=progress, brand_code=brand, **given
            )

    _with_runtime(work)
    assert report is not None, "a replay reports or raises"
    has_tables = isinstance(report, OlistReport) and not as_json
    _report(counts_of(report, as_tables=has_tables), as_json=as_json)
    if isinstance(report, OlistReport) and has_tables:
        console.print(*tables_of(report))
    if report.audit_differences:
        raise typer.Exit(1)


@cli.command()
def bench(
    name: Annotated[BenchName, typer.Argument(help="What is measured; see docs/benchmarks.md.")],
    seconds: Annotated[float, typer.Option(min=1, help="Of the measured part.")] = 20.0,
    seed: Annotated[int | None, typer.Option(help="For what is drawn by chance.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Serving processes, where there are any.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer cases, where seconds do not limit it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure, on servers of its own; needs what `make bench` installs."""
    report = run_bench(name, seconds=seconds, seed=seed, workers=workers, quick=quick)
    _report(msgspec.to_builtins(report), as_json=as_json)


@cli.command()
def audit(
    brand: Annotated[str | None, typer.Option("--brand", help="Only this brand.")] = None,
    full: Annotated[bool, typer.Option("--full", help="From the beginning (the default).")] = True,
    as_json: Json = False,
) -> None:
    """Recompute every counter from what caused it; exit status 1 if any differs."""
    differences = 0

    async def work(runtime: Runtime) -> None:
        nonlocal differences
        for tenant in await runtime.brands.all():
            if brand in (None, tenant.code):
                report = await run_audit(
                    runtime.database, runtime.admission, runtime.counters, tenant.id
                )
                differences += len(report.differences)
                _report({"brand": tenant.code, **msgspec.to_builtins(report)}, as_json=as_json)

    _with_runtime(work)
    if differences:
        raise typer.Exit(1)


@cli.command()
def schema(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("schema.graphql"),
    events: Annotated[Path, typer.Option(help="Where the schemas of the events go.")] = Path(
        "docs/reference/events"
    ),
    states: Annotated[Path, typer.Option(help="Where the state machines are drawn.")] = Path(
        "docs/reference/state-machines.md"
    ),
) -> None:
    """Write the GraphQL schema to a file, with it the events' schemas and the state machines."""
    file.write_text(schema_text(), encoding="utf-8")
    events.mkdir(parents=True, exist_ok=True)
    for kind, payload in PAYLOADS.items():
        (events / f"{kind}.json").write_bytes(payload_schema(payload))
    states.write_text(page_of(MACHINES), encoding="utf-8")


def _settings(*, quiet: bool = False) -> Settings:
    settings = read_settings()
    level = "warning" if quiet and settings.log_level == "info" else settings.log_level
    set_up_logs(level, for_people=settings.is_development)
    return settings


def _with_runtime(work: Callable[[Runtime], Awaitable[None]]) -> None:
    """Run a piece of work with a process's parts, on a migrated database."""
    settings = _settings(quiet=True)
    with servers(settings) as where:

        async def run() -> None:
            await prepare(where)
            async with _runtime(where, with_maintenance=False) as runtime:
                await work(runtime)

        uvloop.run(run())


@asynccontextmanager
async def _runtime(where: Servers, *, with_maintenance: bool) -> AsyncIterator[Runtime]:
    async with open_runtime(
        where.database_url, where.valkey_url, where.secret, with_maintenance=with_maintenance
    ) as runtime:
        yield runtime


async def _brand(runtime: Runtime, code: str) -> Brand:
    for brand in await runtime.brands.all():
        if brand.code == code:
            return brand
    raise UnknownBrand(f"There is no brand {code!r}.")


async def read_chunks(file: Path) -> AsyncIterator[bytes]:
    """Yield a file's bytes, a part at a time."""
    with file.open("rb") as stream:
        while chunk := stream.read(READ_BYTES):
            yield chunk


def _report(fields: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.encode(fields).decode() + "\n")
        return
    for name, value in fields.items():
        console.print(f"{name.replace('_', ' ')}: {value}", highlight=False)
