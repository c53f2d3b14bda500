"""The text is what Prometheus and OpenMetrics say it is: another implementation reads it back."""

from __future__ import annotations

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_prometheus

from orchestra.metrics.exposition import Format, Sample, choose_format, render, render_labels
from orchestra.metrics.table import METRICS, Kind, Metric

GAUGE = Metric("some_bytes", Kind.GAUGE, "Back\\slash and\nnew line", ("name",), "bytes")
COUNTER = Metric("some_seconds", Kind.COUNTER, "Counted", (), "seconds")
SUMMARY = Metric("other_seconds", Kind.SUMMARY, "Summed", (), "seconds")
STRANGE = 'quote " backslash \\ new\nline ünicode }'


def read(samples, format):
    text = render(samples, format).decode()
    reader = read_openmetrics if format is Format.OPENMETRICS else read_prometheus
    return {family.name: family for family in reader(text)}


@pytest.mark.parametrize("format", list(Format))
def test_another_implementation_reads_the_same(format):
    found = read(
        {
            GAUGE: [Sample(render_labels([("name", STRANGE)]), 1.5), Sample(render_labels([("name", "")]), -3)],
            COUNTER: [Sample("", 1e20)],
            SUMMARY: [Sample("", 0.1, "_sum"), Sample("", 4, "_count")],
        },
        format,
    )
    assert [(each.labels, each.value) for each in found["some_bytes"].samples] == [
        ({"name": STRANGE}, 1.5),
        ({"name": ""}, -3.0),
    ]
    assert found["some_bytes"].documentation == GAUGE.help
    assert found["some_seconds"].type == "counter"
    assert [(each.name, each.value) for each in found["some_seconds"].samples] == [("some_seconds_total", 1e20)]
    assert found["other_seconds"].type == "summary"
    assert {each.name: each.value for each in found["other_seconds"].samples} == {
        "other_seconds_sum": 0.1,
        "other_seconds_count": 4.0,
    }


def test_a_metric_without_samples_is_not_mentioned():
    assert render({GAUGE: []}, Format.PROMETHEUS) == b""
    assert render({GAUGE: []}, Format.OPENMETRICS) == b"# EOF\n"


def test_bytes_that_are_no_text_do_not_spoil_the_rest():
    assert render_labels([("image", "rootfs:/\udcff")]) == '{image="rootfs:/?"}'


@pytest.mark.parametrize(
    ("accept", "format"),
    [
        ("", Format.PROMETHEUS),
        ("*/*", Format.PROMETHEUS),
        ("application/json", Format.PROMETHEUS),
        ("application/openmetrics-text", Format.OPENMETRICS),
        ("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", Format.PROMETHEUS),
        ("text/plain;q=0.5, application/openmetrics-text;q=x", Format.PROMETHEUS),
        # What Prometheus 3 sends.
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
            "application/openmetrics-text;version=0.0.1;q=0.5,"
            "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            Format.OPENMETRICS,
        ),
    ],
)
def test_clients_choose_the_format(accept, format):
    assert choose_format(accept) is format


def test_names_have_units_and_endings_as_advised():
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith("orchestra_")
        assert not metric.name.endswith("_total")
        assert metric.name.endswith(f"_{metric.unit}") == bool(metric.unit), metric.name
        assert bool(metric.unit) == metric.name.endswith(("_seconds", "_bytes")), metric.name
        assert metric.help
        assert not metric.help.endswith(".")
