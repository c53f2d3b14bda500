"""Samples as text, in Prometheus' format and in OpenMetrics'. Pure.

Sources: prometheus.io/docs/instrumenting/exposition_formats, "Text format details"; the OpenMetrics specification 1.0,
"Text format" and "Content negotiation".
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestra.metrics.table import Metric


class Format(Enum):
    """By the type of its content."""

    PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Sample(NamedTuple):
    """labels: as ``render_labels`` gives them. suffix: ``_sum`` or ``_count`` of a summary."""

    labels: str
    value: float
    suffix: str = ""


def choose_format(accept: str) -> Format:
    """What a client likes best, of the header of that name; Prometheus' own if it likes both the same, or neither."""
    weights = dict.fromkeys(Format, 0.0)
    for entry in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in entry.split(";"))
        given = dict(parameter.partition("=")[::2] for parameter in parameters)
        weight = _weight(given.get("q", "1"))
        if kind == "application/openmetrics-text" and given.get("version", "1.0.0") in ("1.0.0", "0.0.1"):
            weights[Format.OPENMETRICS] = max(weights[Format.OPENMETRICS], weight)
        elif kind in ("text/plain", "text/*", "*/*"):
            weights[Format.PROMETHEUS] = max(weights[Format.PROMETHEUS], weight)
    return Format.OPENMETRICS if weights[Format.OPENMETRICS] > weights[Format.PROMETHEUS] else Format.PROMETHEUS


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def render(samples: Mapping[Metric, Sequence[Sample]], format: Format) -> bytes:
    """Each metric with its samples, in the order of the mapping; one without samples is left out."""
    lines: list[str] = []
    for metric, found in samples.items():
        if found:
            lines += _head(metric, format)
            lines += [f"{metric.shown}{each.suffix}{each.labels} {_number(each.value)}" for each in found]
    if format is Format.OPENMETRICS:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines).encode()


def _head(metric: Metric, format: Format) -> list[str]:
    """A counter is called without its ending in OpenMetrics, with it in Prometheus' format."""
    name = metric.name if format is Format.OPENMETRICS else metric.shown
    unit = [f"# UNIT {name} {metric.unit}"] if metric.unit and format is Format.OPENMETRICS else []
    return [f"# HELP {name} {_escape(metric.help)}", f"# TYPE {name} {metric.kind}", *unit]


def render_labels(labels: Iterable[tuple[str, str]]) -> str:
    """In braces; nothing without labels."""
    pairs = ",".join(f'{name}="{_escape_value(value)}"' for name, value in labels)
    return f"{{{pairs}}}" if pairs else ""


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _escape_value(text: str) -> str:
    """Names of files may hold bytes that are no UTF-8, and come as surrogates."""
    return _escape(text).replace('"', '\\"').encode(errors="replace").decode()


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
