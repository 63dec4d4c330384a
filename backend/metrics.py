"""What Prometheus reads: from /metrics of a serving process, and from YIPAN_METRICS_PORT of others.

docs/how-to/operate.md says what each means and what to do about it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    start_http_server,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from backend.tracing import span

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which processes that serve together share their figures; the library reads it."""

STAGE_SECONDS = Histogram(
    "yipan_stage_seconds",
    "One stage of one batch: understand, plan, admit, commit, finish.",
    ["stage"],
    buckets=SECONDS,
)
BATCH_ORDERS = Histogram(
    "yipan_batch_orders", "Orders in a batch.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
ORDERS = Counter("yipan_orders_total", "Orders by what became of them.", ["outcome"])
TENANT_ORDERS = Counter("yipan_tenant_orders_total", "Orders of a tenant, answered.", ["tenant"])
ADMISSIONS = Counter("yipan_admissions_total", "Orders by what admission said.", ["verdict"])
CONFLICTS = Counter(
    "yipan_conflicts_total", "Orders planned again, by where they conflicted.", ["where"]
)
ATTEMPTS = Counter("yipan_attempts_total", "Orders committed, by the attempt.", ["attempt"])
UNKNOWN_COMMITS = Counter(
    "yipan_unknown_commits_total", "Commits whose connection broke; they were run again."
)
REAPED = Counter("yipan_reaped_tokens_total", "Tokens that died with their process, given back.")
REROUTED = Counter("yipan_rerouted_orders_total", "Orders that were given to other nodes for less.")
DRIFTED = Counter(
    "yipan_drifted_counters_total", "Counters whose base in Valkey was old when the sweep came."
)
WARM_UPS = Counter("yipan_warm_ups_total", "Tenants whose counters were read into Valkey.")
QUEUE = Gauge("yipan_queue_orders", "Orders waiting for their batch.", multiprocess_mode="livesum")
TURNSTILE_WAITING = Gauge(
    "yipan_operations_waiting",
    "Operations that wait for their turn.",
    multiprocess_mode="livesum",
)
TURNSTILE_REFUSED = Counter(
    "yipan_operations_refused_total", "Operations told to come back: their tenant's line was full."
)
PUSHES = Counter(
    "yipan_pushed_numbers_total",
    "Numbers that platforms have answered, and calls that failed, by how.",
    ["outcome"],
)
DRIFTED_NUMBERS = Counter(
    "yipan_drifted_numbers_total", "Numbers found to be shown otherwise than acknowledged."
)
HTTP_SECONDS = Histogram(
    "yipan_http_seconds", "HTTP requests.", ["path", "status"], buckets=SECONDS
)
RELAYED = Counter("yipan_relayed_events_total", "Events that Kafka has kept for this relay.")
SEARCH_LAG = Gauge(
    "yipan_search_lag_seconds",
    "Since when orders are not found by what they are now.",
    multiprocess_mode="max",
)
OUTBOX_LAG = Gauge(
    "yipan_outbox_lag_seconds",
    "Age of the oldest event that this relay has read and Kafka has not; 0 where all is told.",
    multiprocess_mode="livemax",
)


@contextmanager
def stage(name: str, tenant_id: int, orders: int) -> Iterator[None]:
    """Measure a stage of a batch, and show it in the trace."""
    started = time.perf_counter()
    try:
        with span(f"orders.{name}", {"yipan.tenant": tenant_id, "yipan.orders": orders}):
            yield
    finally:
        STAGE_SECONDS.labels(name).observe(time.perf_counter() - started)


def exposition() -> bytes:
    """Return the figures as Prometheus reads them; of all processes that serve together."""
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    except ValueError:
        return generate_latest(REGISTRY)
    return generate_latest(registry)


def serve_metrics(host: str, port: int) -> None:
    """Answer Prometheus on a port, from a thread of its own; for processes without HTTP.

    Raises OSError where the port is in use.
    """
    start_http_server(port, addr=host)


def forget_process(process_id: int, folder: str) -> None:
    """Drop the gauges of a process that has ended."""
    mark_process_dead(process_id, folder)  # type: ignore[no-untyped-call]
