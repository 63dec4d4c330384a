"""What Prometheus reads at /metrics."""

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

ORDERS = Counter("yipan_orders_total", "Orders by what became of them.", ["outcome"])
BATCH_ORDERS = Histogram(
    "yipan_batch_orders", "Orders in a batch.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
COMMIT_SECONDS = Histogram("yipan_commit_seconds", "One commit of a batch.", buckets=SECONDS)
CONFLICTS = Counter("yipan_conflicts_total", "Orders planned again.", ["where"])
QUEUE = Gauge("yipan_queue_orders", "Orders waiting for their batch.")
HTTP_SECONDS = Histogram(
    "yipan_http_seconds", "HTTP requests.", ["path", "status"], buckets=SECONDS
)
