"""The dashboard and the alerts ask only for what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from orchestra.metrics.table import METRICS, Kind

EXAMPLES = Path(__file__).parents[2] / "examples" / "metrics"
LABELS = {metric.shown: set(metric.labels) for metric in METRICS if metric.kind is not Kind.SUMMARY}
LABELS |= {
    f"{metric.name}{end}": set(metric.labels)
    for metric in METRICS
    if metric.kind is Kind.SUMMARY
    for end in ("_sum", "_count")
}
DASHBOARD = json.loads((EXAMPLES / "dashboard.json").read_text())
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"]}
QUERIES = [target["expr"] for panel in PANELS.values() for target in panel["targets"]]
QUERIES += [each["query"]["query"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
GROUPS = YAML(typ="safe").load((EXAMPLES / "alerts.yaml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]


@pytest.mark.parametrize("query", [*QUERIES, *(rule["expr"] for rule in RULES)])
def test_every_query_asks_for_metrics_and_labels_that_there_are(query):
    asked = re.findall(r"(orchestra_\w+)(?:\{([^}]*)\})?", query)
    assert asked
    for name, selector in asked:
        assert set(re.findall(r"(\w+)=~?", selector)) <= LABELS[name]
    grouped = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", query) for label in labels.split(",")}
    assert grouped <= set.intersection(*(LABELS[name] for name, _selector in asked))
    assert query.count("(") == query.count(")")
    assert query.count("{") == query.count("}")


def test_panels_are_told_apart_and_lie_beside_each_other():
    assert len({panel["id"] for panel in PANELS.values()}) == len(DASHBOARD["panels"]) == len(PANELS)
    taken = set()
    for panel in PANELS.values():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_legends_and_summaries_use_labels_that_there_are():
    known = set().union(*LABELS.values())
    texts = [target["legendFormat"] for panel in PANELS.values() for target in panel["targets"]]
    assert {label for text in texts for label in re.findall(r"\{\{(\w+)\}\}", text)} <= known
    for rule in RULES:
        (name,) = {name for name in LABELS if re.search(rf"{name}\b", rule["expr"]) and "desired" not in name}
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= LABELS[name]


def test_nothing_of_one_installation_is_in_the_dashboard():
    sources = {panel["datasource"]["uid"] for panel in PANELS.values()}
    assert sources == {"${datasource}"}
    assert DASHBOARD["templating"]["list"][0]["type"] == "datasource"
