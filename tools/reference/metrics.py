"""The page of metrics, from the table that they are made with."""

from __future__ import annotations

from orchestra.metrics.table import METRICS
from tools.reference import marks


def renew(page: str) -> str:
    rows = [
        (f"`{metric.shown}`", metric.kind.value, f"{metric.help}.", ", ".join(f"`{label}`" for label in metric.labels))
        for metric in METRICS
    ]
    return marks.replace(page, "metrics", marks.table(("metric", "type", "meaning", "labels"), rows))
