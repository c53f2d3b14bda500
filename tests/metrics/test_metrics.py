"""``orchestra metrics`` tells what a real stack does and uses, and serves it to clients of every kind."""

from __future__ import annotations

import contextlib
import http.client
import os
import shlex
import signal
import socket
import subprocess
import sys
import time

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_prometheus

from orchestra.control.client import Client
from orchestra.home import Home
from orchestra.metrics.table import METRICS
from tests.cli.conftest import by_hand, home, orchestra
from tests.examples.conftest import busybox_root, eventually, needs_containers, write_shared_stack

__all__ = ["busybox_root", "by_hand", "home", "orchestra", "write_shared_stack"]

pytestmark = needs_containers

FILE = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "touch /ready; echo hello > /dev/null; exec sleep 10000"]
    healthcheck: {test: [CMD, test, -e, /ready], interval: 1s}
    mem_limit: 100m
    init: true
    deploy: {replicas: 2}
  crash: {image: "rootfs:BUSYBOX", command: [sh, -c, "exit 3"], restart: "on-failure:1", depends_on: [web]}
  host: {image: "rootfs:BUSYBOX", command: [sleep, "10000"], network_mode: host, init: true}
  off: {image: "rootfs:BUSYBOX", command: [sleep, "10000"], profiles: [never]}
"""
BOTH = ("--stack", "shop", "--stack", "other")
OTHER = 'services: {one: {image: "rootfs:BUSYBOX", command: [sleep, "10000"], init: true}}'


class Scrape:
    """Samples by name and labels."""

    def __init__(self, text, reader=read_prometheus) -> None:
        self.families = {family.name: family for family in reader(text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    def __call__(self, name, **labels) -> float | None:
        """The value of the one sample with these labels, among others; None without any."""
        found = [
            each.value
            for each in self.samples
            if each.name == f"orchestra_{name}" and labels.items() <= each.labels.items()
        ]
        assert len(found) <= 1, found
        return found[0] if found else None


def supervisor_of(stack):
    return (
        Client(Home(f"{stack.home}/data", f"{stack.home}/run").stack(stack.folder.name)).find_processes().supervisor.pid
    )


@pytest.fixture(scope="module")
def stack(write_shared_stack):
    shop, other = write_shared_stack(FILE, name="shop"), write_shared_stack(OTHER, name="other")
    shop.run("up", "-d")
    other.run("up", "-d")
    eventually(lambda: scrape(shop)("container_restarts_total", container="shop-crash-1") == 1)
    eventually(lambda: scrape(shop)("container_health", container="shop-web-2", health="healthy") == 1)
    eventually(lambda: scrape(shop)("container_state", container="shop-crash-1", state="exited") == 1)
    return shop


def scrape(stack, *options):
    """Of both stacks, unless one is named: commands of a stack here name its file, which then is the only one."""
    return Scrape(stack.run("metrics", *(options or BOTH)).stdout)


@contextlib.contextmanager
def serving(stack, address, *options):
    command = stack.start("metrics", "--listen", address, *options, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with command as process:
        try:
            line = process.stderr.readline()
            line = line if isinstance(line, str) else line.decode()
            assert line.startswith("listening on "), line
            yield line.removeprefix("listening on ").strip(), process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                assert process.wait(60) == 0
            finally:
                process.kill()


@pytest.fixture(scope="module")
def address(stack):
    with serving(stack, "127.0.0.1:0") as (url, _process):
        yield "127.0.0.1", int(url.removeprefix("http://127.0.0.1:").removesuffix("/metrics"))


def get(address, path="/metrics", method="GET", **headers):
    with contextlib.closing(http.client.HTTPConnection(*address, timeout=60)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


class TestWhatIsTold:
    def test_of_each_container(self, stack):
        found = scrape(stack)
        web = {"stack": "shop", "service": "web", "container": "shop-web-1"}
        image = next(each.labels["image"] for each in found.samples if web.items() <= each.labels.items())
        assert image.startswith("rootfs:")
        assert found("container_state", state="running", **web) == 1
        assert found("container_state", state="exited", **web) == 0
        assert found("container_health", health="unhealthy", **web) == 0
        assert found("container_cpu_usage_seconds_total", **web) > 0
        assert 0 < found("container_memory_working_set_bytes", **web) < 100 << 20
        assert found("container_memory_limit_bytes", **web) == 100 << 20
        assert found("container_processes", **web) >= 2  # and perhaps a probe
        assert abs(found("container_start_time_seconds", **web) - time.time()) < 3600
        assert found("container_network_receive_bytes_total", **web) is not None
        assert found("container_oom_kills_total", **web) == 0
        assert found("container_exit_code", **web) is None

    def test_of_a_container_that_has_ended(self, stack):
        found, crash = scrape(stack), {"container": "shop-crash-1"}
        assert found("container_exit_code", **crash) == 3
        assert found("container_restarts_total", **crash) == 1
        assert found("container_processes", **crash) is None
        assert found("container_health", health="healthy", **crash) is None

    def test_of_each_service_and_stack(self, stack):
        found = scrape(stack)
        assert found("service_desired_containers", service="web") == 2
        assert found("service_running_containers", service="web") == 2
        assert found("service_desired_containers", service="crash") == 1
        assert found("service_running_containers", service="crash") == 0
        assert found("service_desired_containers", service="off") is None
        assert found("stack_supervised", stack="shop") == found("stack_readable", stack="shop") == 1
        assert found("stack_actions_total", stack="shop", action="create", outcome="done") >= 4
        assert found("stack_actions_total", stack="other", action="start", outcome="done") == 1
        assert found("stack_convergence_seconds_count", stack="other") == 1
        assert found("stack_convergence_seconds_sum", stack="other") > 0
        assert found("stack_last_convergence_timestamp_seconds", stack="other") <= time.time()

    def test_only_of_the_stacks_that_are_named(self, stack):
        names = {each.labels.get("stack") for each in scrape(stack, "--stack", "other").samples}
        assert names == {"other", None}
        assert "did you mean shop?" in stack.run("metrics", "--stack", "shpo", code=1).stderr

    def test_of_every_stack_if_none_is_named(self, by_hand, orchestra):
        by_hand.run(by_hand.create("web"))
        by_hand.exit(by_hand.create("job"), 2)
        by_hand.want()
        _code, out, _err = orchestra("metrics")
        found = Scrape(out)
        assert found("container_state", stack="s", service="web", state="running") == 1
        assert found("container_exit_code", container="s-job-1") == 2
        assert found("stack_supervised", stack="s") == 0
        _code, out, _err = orchestra("-p", "t", "metrics")
        assert Scrape(out)("stack_readable", stack="s") is None

    def test_every_name_is_in_the_table(self, stack):
        families = scrape(stack).families
        table = {metric.name: metric for metric in METRICS}
        assert {name for name in table if "block" not in name} <= set(families)
        for name, family in families.items():
            assert family.documentation == table[name].help
            assert family.type == table[name].kind
            assert all(set(each.labels) == set(table[name].labels) for each in family.samples)

    def test_the_same_in_openmetrics(self, stack):
        found = Scrape(stack.run("metrics", "--format", "openmetrics").stdout, read_openmetrics)
        assert found("service_running_containers", service="web") == 2
        assert found.families["orchestra_container_memory_limit_bytes"].unit == "bytes"


class TestServing:
    def test_what_has_changed_is_told_at_the_next_scrape(self, stack, address):
        def read():
            return Scrape(get(address)[2])

        assert read()("container_state", container="shop-host-1", state="running") == 1
        stack.run("pause", "host")
        assert read()("container_state", container="shop-host-1", state="paused") == 1
        stack.run("unpause", "host")
        stack.run("kill", "host")
        eventually(lambda: read()("container_state", container="shop-host-1", state="exited") == 1)
        assert read()("service_desired_containers", service="host") == 0
        stack.run("up", "-d", "host")
        assert read()("container_state", container="shop-host-1", state="running") == 1

    def test_counters_go_on_under_the_next_supervisor(self, stack, address):
        before, old = Scrape(get(address)[2]), supervisor_of(stack)
        os.kill(old, signal.SIGKILL)
        eventually(lambda: supervisor_of(stack) != old)
        after = Scrape(get(address)[2])
        for each in before.samples:
            if each.name in ("orchestra_stack_actions_total", "orchestra_stack_convergence_seconds_sum"):
                assert after(each.name.removeprefix("orchestra_"), **each.labels) >= each.value

    def test_clients_choose_the_format(self, address):
        status, headers, text = get(address)
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert Scrape(text)("service_running_containers", service="web") == 2
        _status, headers, text = get(address, Accept="application/openmetrics-text;version=1.0.0")
        assert headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert Scrape(text, read_openmetrics)("service_running_containers", service="web") == 2

    def test_other_paths_and_methods_are_refused(self, address):
        assert get(address, "/")[0] == 404
        assert get(address, "/metrics?name[]=up")[0] == 200
        assert get(address, method="POST")[0] == 501
        status, headers, text = get(address, method="HEAD")
        assert (status, text) == (200, "")
        assert int(headers["Content-Length"]) > 1000

    def test_clients_that_never_finish_harm_nobody_else(self, address):
        with contextlib.ExitStack() as idle:
            for number in range(20):
                client = idle.enter_context(socket.create_connection(address))
                client.sendall(b"GET /met" if number % 2 else b"")
            assert get(address)[0] == 200
            for junk in (b"\x16\x03\x01\x00", b"\r\n\r\n", b"GET " + b"x" * 70_000 + b"\r\n\r\n"):
                with socket.create_connection(address) as client, contextlib.suppress(OSError):
                    client.sendall(junk)
            assert get(address)[0] == 200

    def test_on_a_unix_socket_which_goes_with_the_server(self, stack, tmp_path):
        path = tmp_path / "metrics.sock"
        with serving(stack, f"unix:{path}", "--stack", "other"), socket.socket(socket.AF_UNIX) as client:
            assert path.stat().st_mode & 0o777 == 0o600
            client.settimeout(60)
            client.connect(str(path))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            content = b"".join(iter(lambda: client.recv(65536), b""))
            assert b'orchestra_stack_supervised{stack="other"} 1' in content
            assert "another process listens" in stack.run("metrics", "--listen", f"unix:{path}", code=1).stderr
        assert not path.exists()

    def test_on_a_socket_of_the_service_manager(self, stack):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            program = shlex.join([sys.executable, "-m", "orchestra", "metrics", "--stack", "other"])
            line = f"exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec {program}"
            with subprocess.Popen(["sh", "-c", line], env=stack.environment, stdin=listener) as process:
                try:
                    found = Scrape(get(listener.getsockname())[2])
                finally:
                    process.terminate()
                    process.wait(60)
        assert found("stack_supervised", stack="other") == 1
        assert process.returncode == 0

    @pytest.mark.parametrize("address", ["9323", "localhost:", ":9323", "127.0.0.1:x", "127.0.0.1:65536"])
    def test_an_address_that_is_none_is_refused(self, address, stack):
        assert "expected ADDRESS:PORT" in stack.run("metrics", "--listen", address, code=1).stderr

    def test_an_address_that_is_taken_is_an_error(self, stack, address):
        answer = stack.run("metrics", "--listen", "{}:{}".format(*address), code=None)
        assert answer.returncode != 0
        assert "cannot listen" in answer.stderr
