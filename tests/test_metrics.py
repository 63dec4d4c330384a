"""What is measured is what the dashboard shows and the manual explains; stages show in traces."""

import json
import re
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from backend import tracing
from backend.admission.model import Base
from backend.maintenance import count_old
from backend.metrics import exposition
from backend.runtime import Runtime
from backend.tracing import trace_with
from tests.orders.checks import placed
from tests.world import World, draft, receive

DOCS = Path(__file__).parent.parent / "docs"
NAME = re.compile(r"yipan_[a-z_]+")
PARTS = ("_bucket", "_count", "_sum", "_total")


def measured() -> set[str]:
    return {family.name for family in REGISTRY.collect() if family.name.startswith("yipan_")}


def family_of(name: str) -> str:
    for part in PARTS:
        name = name.removesuffix(part)
    return name


@pytest.mark.parametrize("path", ["how-to/operate.md", "reference/grafana-dashboard.json"])
def test_every_figure_that_is_named_exists(path: str) -> None:
    named = {family_of(name) for name in NAME.findall((DOCS / path).read_text("utf-8"))}
    assert named
    assert named <= measured()


def test_every_figure_is_on_the_dashboard() -> None:
    dashboard = json.loads((DOCS / "reference/grafana-dashboard.json").read_text("utf-8"))
    shown = {
        family_of(name)
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in NAME.findall(target["expr"])
    }
    assert shown == measured()


STAGES = ("understand", "plan", "admit", "commit", "finish")


def counted(stage: str) -> float:
    return REGISTRY.get_sample_value("yipan_stage_seconds_count", {"stage": stage}) or 0.0


async def test_every_stage_of_an_order_is_measured(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 1)
    before = {stage: counted(stage) for stage in STAGES}
    placed(await runtime.intake.place(draft({"A": 1}), world.brand))
    await runtime.settle()
    assert all(counted(stage) > before[stage] for stage in STAGES)
    assert b"yipan_orders_total" in exposition()


async def test_every_stage_of_an_order_is_in_the_trace(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 1)
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace_with(provider)
    try:
        placed(await runtime.intake.place(draft({"A": 1}), world.brand))
        await runtime.settle()
    finally:
        trace_with(None)
    spans = kept.get_finished_spans()
    assert {span.name for span in spans} >= {f"orders.{stage}" for stage in STAGES}
    assert all((span.attributes or {})["yipan.tenant"] == world.tenant_id for span in spans)


def test_without_its_packages_traces_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(tracing, "import_module", missing)
    with pytest.raises(tracing.TracesMissing, match="pip install"):
        tracing.start_traces("http://127.0.0.1:4318/v1/traces", "api")
    assert tracing.span("orders.plan", {}) is tracing.span("orders.commit", {})


def test_only_older_bases_have_drifted() -> None:
    bases = [Base("a", 1, 5), Base("b", 1, 5), Base("c", 1, 5)]
    assert count_old(bases, [(9, 4, 0), (1, 5, 0), None]) == 1
