"""Traces through the pipeline with OpenTelemetry, an extra: `pip install '.[traces]'`.

Without the extra, or without YIPAN_TRACES_URL, a span is nothing and costs nothing.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

from backend.db.errors import YipanError

_NOTHING = nullcontext()
_tracer: Any = None


class TracesMissing(YipanError):
    """Traces need packages that are not installed: run pip install '.[traces]' in the checkout."""

    code = "TRACES_MISSING"


def span(name: str, attributes: Mapping[str, int | str]) -> AbstractContextManager[Any]:
    """Open a span; what is opened inside it is its child."""
    if _tracer is None:
        return _NOTHING
    opened: AbstractContextManager[Any] = _tracer.start_as_current_span(
        name, attributes=dict(attributes)
    )
    return opened


def start_traces(url: str, role: str) -> None:
    """Send spans to an OTLP/HTTP collector from now on; raises TracesMissing.

    The packages are loaded here and not above: a process without traces does without them.
    """
    try:
        sdk = import_module("opentelemetry.sdk.trace")
        export = import_module("opentelemetry.sdk.trace.export")
        resources = import_module("opentelemetry.sdk.resources")
        otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ModuleNotFoundError as error:
        raise TracesMissing(f"{TracesMissing.__doc__} ({error})") from error
    resource = resources.Resource.create({"service.name": f"yipan-{role}"})
    provider = sdk.TracerProvider(resource=resource)
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter(endpoint=url)))
    trace_with(provider)


def trace_with(provider: Any) -> None:
    """Take spans from a provider; None ends that."""
    global _tracer
    _tracer = None if provider is None else provider.get_tracer("yipan")
