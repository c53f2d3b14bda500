"""Sends a trace with OpenTelemetry's SDK, which reads its variables (OTEL_*) itself."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from orchestra import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Span as OpenSpan

    from orchestra.traces.phases import Span
    from orchestra.traces.recording import Trace

SERVICE = "orchestra"
HTTP = "http/protobuf"


def export(trace: Trace, environment: Mapping[str, str], limit: float) -> str:
    """Why it could not be sent; empty if it was. limit: seconds that each request may take."""
    names = [name.strip() for name in environment.get("OTEL_TRACES_EXPORTER", "").split(",") if name.strip()]
    try:
        spans = make_spans(trace, environment)
    except ValueError as error:  # of a variable
        return str(error)
    problems = [_send(name, spans, environment, limit) for name in names or ["otlp"] if name != "none"]
    return "; ".join(problem for problem in problems if problem)


def _send(name: str, spans: Sequence[ReadableSpan], environment: Mapping[str, str], limit: float) -> str:
    match name:
        case "console":
            ConsoleSpanExporter(out=sys.stderr).export(spans)
            return ""
        case "otlp":
            own = environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
            protocol = own or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL") or HTTP
            if protocol != HTTP:
                return f"the protocol {protocol} is not known: {HTTP} is"
            return _send_otlp(spans, limit)
        case _:
            return f"the exporter {name} is not known: otlp and console are"


def _send_otlp(spans: Sequence[ReadableSpan], limit: float) -> str:
    try:
        exporter = OTLPSpanExporter(timeout=limit)
    except (ValueError, OSError) as error:
        return str(error)
    with _Listening(exporter) as listening:
        if exporter.export(spans) is SpanExportResult.SUCCESS:
            exporter.shutdown()  # type: ignore[no-untyped-call]  # the library leaves it out
            return ""
    return listening.reason or "it was refused"


class _Listening(logging.Handler):
    """Keeps what the exporter logs away from the terminal, and takes the first failure for the last: the command is
    about to end, so nothing is tried again.
    """

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        super().__init__(logging.WARNING)
        self.reason = ""
        self._exporter = exporter
        self._logger = logging.getLogger("opentelemetry")

    def emit(self, record: logging.LogRecord) -> None:
        if not self.reason:
            self.reason = _reason_of(record)
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the library leaves it out

    def __enter__(self) -> _Listening:
        self._logger.addHandler(self)
        self._logger.propagate = False
        return self

    def __exit__(self, *_exception: object) -> None:
        self._logger.removeHandler(self)


def _reason_of(record: logging.LogRecord) -> str:
    """Of an exception, what first caused it: HTTP libraries wrap it many times."""
    arguments = record.args if isinstance(record.args, tuple) else ()
    error = next((each for each in arguments if isinstance(each, BaseException)), None)
    if error is None:
        return record.getMessage()
    while cause := error.__cause__ or error.__context__:
        error = cause
    return str(error) or type(error).__name__


def make_spans(trace: Trace, environment: Mapping[str, str]) -> Sequence[ReadableSpan]:
    """The span of the command first, then one for each phase below it. TRACEPARENT names the span above them all."""
    resource = Resource.create({"service.name": environment.get("OTEL_SERVICE_NAME") or SERVICE})
    provider, made = TracerProvider(resource=resource, shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(made))
    tracer = provider.get_tracer(SERVICE, __version__)
    carrier = {"traceparent": environment.get("TRACEPARENT", ""), "tracestate": environment.get("TRACESTATE", "")}
    above = TraceContextTextMapPropagator().extract(carrier)
    root = tracer.start_span(f"orchestra {trace.command}", above, start_time=_nanoseconds(trace.began))
    if trace.stack:
        root.set_attribute("orchestra.stack", trace.stack)
    below = set_span_in_context(root)
    for span in trace.spans:
        child = tracer.start_span(_name(span), below, start_time=_nanoseconds(span.began))
        for key, value in _attributes(span).items():
            child.set_attribute(key, value)
        _end(child, span.ended, span.error)
    _end(root, trace.ended, trace.error)
    return made.get_finished_spans()


def _end(span: OpenSpan, at: float, error: str) -> None:
    if error:
        span.set_status(Status(StatusCode.ERROR, error))
    span.end(_nanoseconds(at))


def _name(span: Span) -> str:
    return f"{span.name} {span.subject}" if span.subject else span.name


def _attributes(span: Span) -> dict[str, str]:
    """Those of OpenTelemetry's conventions where there are some."""
    kind, _, name = span.subject.partition("/")
    known = {
        "orchestra.action": span.name,
        "orchestra.resource": span.subject,
        "orchestra.service": span.service,
        "orchestra.reason": span.reason,
        "container.name": name if kind == "container" else "",
        "container.image.name": name if kind == "image" else "",
    }
    return {key: value for key, value in known.items() if value}


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
