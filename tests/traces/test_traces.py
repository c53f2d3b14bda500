"""``up`` sends what it did as a trace if the environment asks for it, and is none the worse for a dead receiver."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest

from orchestra.traces.wanted import is_wanted
from tests.examples.conftest import busybox_root, needs_containers, write_shared_stack, write_stack
from tests.ports import free_port
from tests.traces.receiver import receiving

__all__ = ["busybox_root", "write_shared_stack", "write_stack"]

ABOVE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FILE = """
services:
  db:
    image: "rootfs:BUSYBOX"
    command: [sleep, "10000"]
    init: true
    healthcheck: {test: ["CMD", "true"], interval: 1s}
  web:
    image: "rootfs:BUSYBOX"
    command: [sleep, "10000"]
    init: true
    depends_on: {db: {condition: service_healthy}}
"""
ERROR = 2


@pytest.fixture(scope="module")
def stack(write_shared_stack):
    stack = write_shared_stack('services: {one: {image: "rootfs:BUSYBOX", command: [sleep, "10000"], init: true}}')
    stack.run("up", "-d")
    return stack


def attributes(span):
    return {each.key: each.value.string_value for each in span.attributes}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "shop"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
    ],
)
def test_a_trace_is_sent_only_if_a_variable_names_a_place(environment, wanted):
    assert is_wanted(environment) is wanted


class TestOfUp:
    pytestmark = needs_containers

    def test_every_phase_is_a_span_of_one_trace(self, write_stack):
        with receiving() as (address, spans, resources):
            stack = write_stack(
                FILE, "shop", OTEL_EXPORTER_OTLP_ENDPOINT=address, TRACEPARENT=ABOVE, OTEL_RESOURCE_ATTRIBUTES="a=b"
            )
            assert "trace" not in stack.run("up", "-d").stderr
        assert resources[0]["service.name"] == "orchestra"
        assert resources[0]["a"] == "b"
        root = spans.pop("orchestra up")
        assert (root.trace_id.hex(), root.parent_span_id.hex()) == tuple(ABOVE.split("-")[1:3])
        assert attributes(root) == {"orchestra.stack": "shop"}
        assert {
            *("load", "plan", "create network/shop_default"),
            *(f"{verb} container/shop-{name}-1" for verb in ("create", "start") for name in ("db", "web")),
            "wait for health container/shop-db-1",
        } <= set(spans)
        for span in spans.values():
            assert (span.trace_id, span.parent_span_id) == (root.trace_id, root.span_id)
            assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
            assert span.end_time_unix_nano <= root.end_time_unix_nano
            assert span.status.code != ERROR
        start, health = spans["start container/shop-web-1"], spans["wait for health container/shop-db-1"]
        assert start.start_time_unix_nano >= health.end_time_unix_nano > health.start_time_unix_nano
        assert attributes(start) == {
            "orchestra.action": "start",
            "orchestra.resource": "container/shop-web-1",
            "orchestra.service": "web",
            "orchestra.reason": attributes(start)["orchestra.reason"],
            "container.name": "shop-web-1",
        }

    def test_what_fails_is_said_in_its_span_and_in_that_of_the_command(self, write_stack):
        with receiving() as (address, spans, _resources):
            text = 'services: {web: {image: "rootfs:BUSYBOX", command: [/no/such/program]}}'
            stack = write_stack(text, "shop", OTEL_EXPORTER_OTLP_ENDPOINT=address)
            stack.run("up", "-d", code=1)
            failed = {name: span.status.message for name, span in spans.items() if span.status.code == ERROR}
            assert set(failed) == {"start container/shop-web-1", "orchestra up"}
            assert all("/no/such/program" in message for message in failed.values())
            spans.clear()
            stack.write("services: {web: {imag: x}}")
            stack.run("up", "-d", code=15)
            assert [span.status.code for span in spans.values()] == [ERROR]

    def test_the_trace_of_an_attached_up_is_sent_when_all_is_up(self, write_stack):
        with receiving() as (address, spans, _resources):
            text = 'services: {job: {image: "rootfs:BUSYBOX", command: [echo, done]}}'
            stack = write_stack(text, "shop", OTEL_EXPORTER_OTLP_ENDPOINT=address)
            assert "done" in stack.run("up").stdout
        assert spans["orchestra up"].status.code != ERROR
        assert "start container/shop-job-1" in spans


class TestOfReceiversThatAreNone:
    """Each is tried with nothing to do, on one stack that is up."""

    pytestmark = needs_containers

    def up(self, stack, monkeypatch, **environment):
        """Its warnings."""
        for name, value in environment.items():
            monkeypatch.setitem(stack.environment, name, value)
        return [line for line in stack.run("up", "-d").stderr.splitlines() if "warning" in line]

    def test_none_that_listens(self, stack, monkeypatch):
        (warning,) = self.up(stack, monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}")
        assert warning == "warning: the trace was not sent: [Errno 111] Connection refused"

    def test_one_that_never_answers(self, stack, monkeypatch):
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"http://127.0.0.1:{server.getsockname()[1]}"
            (warning,) = self.up(stack, monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=address)
        assert warning.startswith("warning: the trace was not sent: ")

    def test_one_that_refuses(self, stack, monkeypatch):
        with receiving(status=400) as (address, _spans, _resources):
            (warning,) = self.up(stack, monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=address)
        assert "400" in warning

    def test_one_that_is_not_known(self, stack, monkeypatch):
        (warning,) = self.up(stack, monkeypatch, OTEL_TRACES_EXPORTER="zipkin")
        assert "the exporter zipkin is not known" in warning
        (warning,) = self.up(stack, monkeypatch, OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
        assert "the protocol grpc is not known" in warning

    def test_the_terminal(self, stack, monkeypatch):
        monkeypatch.setitem(stack.environment, "OTEL_TRACES_EXPORTER", "console")
        text = stack.run("up", "-d").stderr
        decoder, names = json.JSONDecoder(), []
        while "{" in text:
            span, end = decoder.raw_decode(text[text.index("{") :])
            names.append(span["name"])
            text = text[text.index("{") + end :]
        assert "orchestra up" in names

    def test_a_missing_library(self, stack):
        """As where the extra is not installed; and it is not imported where no trace is wanted."""
        hidden = "import sys; sys.modules['opentelemetry'] = None; from orchestra.__main__ import main; main()"
        command = [sys.executable, "-c", hidden, "-f", str(stack.file), "up", "-d"]
        for wanted in (True, False):
            environment = stack.environment | ({"OTEL_TRACES_EXPORTER": "otlp"} if wanted else {})
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            assert ("pip install 'orchestra[traces]'" in done.stderr) == wanted
            assert "Traceback" not in done.stderr
