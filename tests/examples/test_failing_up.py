"""An `up` that fails takes nothing back: what runs stays, what can start is started, and the next `up` carries on."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess

import pytest

from tests.examples.conftest import eventually, free_port

RUNS = int(os.environ.get("ORCHESTRA_TIMES", "2"))
"""How often a stack is brought up whose outcome once depended on chance."""

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.timeout(180 + 60 * RUNS),
]

SLEEP = 'image: "rootfs:/", init: true, command: [sleep, "1000"], stop_signal: SIGKILL'


def states(orchestra) -> dict[str, str]:
    """Service to state, of all containers."""
    return {service: row["State"] for service, row in orchestra.containers().items()}


def shown(done: subprocess.CompletedProcess) -> list[str]:
    """The errors, each with its place: ``4:22 message``."""
    return [" ".join(found) for found in re.findall(r"compose\.yaml:(\d+:\d+): (.*)", done.stderr)]


@pytest.mark.parametrize("depends", ["", ", depends_on: [good]"], ids=["alone", "depends on good"])
@pytest.mark.parametrize("restart", ["no", "always"])
def test_bad_command_hangs(write_stack, depends, restart):
    stack = write_stack(f"""
services:
  good: {{{SLEEP}}}
  bad: {{image: "rootfs:/", command: nosuchprogram, restart: "{restart}"{depends}}}
""")
    for _ in range(RUNS):
        done = stack.run("up", "-d", code=1)
        (error,) = shown(done)
        assert error.startswith("4:3 ")
        assert "nosuchprogram" in error
        rows = stack.containers()
        assert (rows["good"]["State"], rows["bad"]["State"]) == ("running", "created")
        assert "nosuchprogram" in rows["bad"]["Error"]
        assert "nosuchprogram" in stack.run("ps", "-a", "--no-trunc").stdout
    good = stack.containers()["good"]["ID"]
    stack.file.write_text(stack.file.read_text().replace("nosuchprogram", "[sleep, infinity]"))
    stack.run("up", "-d")
    rows = stack.containers()
    assert (rows["bad"]["State"], rows["bad"]["Error"]) == ("running", "")
    assert rows["good"]["ID"] == good
    stack.run("down", "-t", "0")
    assert stack.containers() == {}


@pytest.mark.parametrize(
    "wrong",
    ["user: nosuch", "stop_signal: SIGNOPE", 'devices: ["/dev/nosuch"]', 'mac_address: "zz"', "mem_limit: 1k"],
)
def test_what_cannot_be_made_is_shown_with_its_error(write_stack, wrong):
    sleep = SLEEP.replace(", stop_signal: SIGKILL", "")
    stack = write_stack(f"services:\n  good: {{{SLEEP}}}\n  bad: {{{sleep}, {wrong}}}\n")
    (error,) = shown(stack.run("up", "-d", code=1))
    row = stack.containers()["bad"]
    assert row["State"] == "created"
    assert row["Error"]
    assert row["Error"] in error
    stack.write(f"services:\n  good: {{{SLEEP}}}\n  bad: {{{SLEEP}}}\n")
    stack.run("up", "-d")
    assert states(stack) == {"good": "running", "bad": "running"}


def test_a_running_stack_is_edited_into_a_typo(write_stack):
    text = f"services:\n  good: {{{SLEEP}}}\n  bad: {{{SLEEP}, depends_on: [good]}}\n  also: {{{SLEEP}}}\n"
    stack = write_stack(text)
    stack.run("up", "-d")
    before = stack.containers()
    stack.file.write_text(text.replace('command: [sleep, "1000"], stop_signal: SIGKILL, dep', "command: typo, dep"))
    (error,) = shown(stack.run("up", "-d", code=1))
    assert error.startswith("3:3 ")
    after = stack.containers()
    assert {after[name]["ID"] for name in ("good", "also")} == {before[name]["ID"] for name in ("good", "also")}
    assert after["good"]["State"] == after["also"]["State"] == "running"


def test_up_start_failure(write_stack):
    stack = write_stack(f"""
services:
  good: {{{SLEEP}}}
  typo: {{image: "rootfs:/", command: [/no/such/program], restart: always}}
""")
    for _ in range(RUNS):
        assert "/no/such/program" in stack.run("up", "-d", code=1).stderr
        assert states(stack) == {"good": "running", "typo": "created"}
        stack.run("down", "-t", "0")


def test_up_port_taken_siblings(write_stack):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        stack = write_stack(f"""
services:
  clash: {{{SLEEP}, ports: ["127.0.0.1:{port}:80"]}}
  good: {{{SLEEP}}}
  after: {{{SLEEP}, depends_on: [clash]}}
""")
        (error,) = shown(stack.run("up", "-d", code=1))
        assert f"port 127.0.0.1:{port}/tcp is already in use" in error or f"port {port}/tcp" in error
        assert states(stack) == {"clash": "created", "good": "running", "after": "created"}
        assert str(port) in stack.containers()["clash"]["Error"]
    stack.run("up", "-d")
    assert states(stack) == {"clash": "running", "good": "running", "after": "running"}


CANNOT_START = {
    "user": "user: nobodyy",
    "group": "group_add: [nogroupy]",
    "host path": "volumes: [{type: bind, source: /no/such/path, target: /x}]",
    "working directory is a file": "working_dir: /etc/passwd",
}


@pytest.mark.parametrize("name", CANNOT_START)
def test_a_container_that_cannot_start_is_kept_with_its_error(write_stack, name):
    text = f"services:\n  bad: {{{SLEEP}, {CANNOT_START[name]}}}\n"
    text += f"  good: {{{SLEEP}}}\n  needy: {{{SLEEP}, depends_on: [bad]}}\n"
    stack = write_stack(text)
    for _ in range(2):
        (error,) = shown(stack.run("up", "-d", code=1))
        assert error.startswith("2:3 ")
        assert states(stack) == {"bad": "created", "good": "running", "needy": "created"}
        assert stack.containers()["bad"]["Error"] in error
    stack.file.write_text(text.replace(f", {CANNOT_START[name]}", ""))
    stack.run("up", "-d")
    assert set(states(stack).values()) == {"running"}
    stack.run("down", "-t", "0")
    assert states(stack) == {}


def test_image_errors_without_a_place(write_stack, tmp_path):
    stack = write_stack("""
services:
  a: {image: "oci:./layout:a"}
  b: {image: "oci:./layout:b"}
  c: {image: "oci:./layout:c", depends_on: [a, b]}
  d: {image: "oci:./layout:d", depends_on: [c]}
  e: {image: "oci:./layout:e"}
""")
    (stack.file.parent / "layout").mkdir()
    first = None
    for _ in range(RUNS):
        done = stack.run("up", "-d", code=1)
        errors = shown(done)
        assert [error.split()[0] for error in errors] == [f"{line}:14" for line in range(3, 8)]
        assert len(re.findall(r"^ +\| +\^", done.stderr, re.MULTILINE)) == 5
        assert first in (None, errors)
        first = errors


def test_wait_removes_siblings_at_random(write_stack):
    stack = write_stack(f"""
services:
  a: {{{SLEEP}}}
  b: {{{SLEEP}}}
  c: {{{SLEEP}}}
  job: {{image: "rootfs:/", command: "true"}}
""")
    for _ in range(RUNS):
        stack.run("up", "--wait")
        assert states(stack) == {"a": "running", "b": "running", "c": "running", "job": "exited"}
        stack.run("down", "-t", "0")


def test_an_up_that_fails_starts_what_waits_for_the_health_of_another(write_stack):
    stack = write_stack(f"""
services:
  db: {{{SLEEP}, healthcheck: {{test: "sleep 1", interval: 60s}}}}
  typo: {{image: "rootfs:/", command: nosuchprogram}}
  web: {{{SLEEP}, depends_on: {{db: {{condition: service_healthy}}}}}}
""")
    (error,) = shown(stack.run("up", "-d", code=1))
    assert error.startswith("4:3 ")
    assert states(stack) == {"db": "running", "typo": "created", "web": "running"}


def test_ctrl_c_takes_nothing_back_and_the_request_is_seen_through(write_stack):
    """Also where it is sent to the whole foreground process group, as a terminal does."""
    stack = write_stack(f"""
services:
  db: {{{SLEEP}, healthcheck: {{test: "sleep 1", interval: 60s}}}}
  web: {{{SLEEP}, depends_on: {{db: {{condition: service_healthy}}}}}}
""")
    command = stack.start(
        "--progress", "plain", "up", "-d", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    with command:
        for line in command.stdout:
            if "db-1 Started" in line:
                os.killpg(command.pid, signal.SIGINT)
        assert command.wait(30) == 130
    eventually(lambda: states(stack) == {"db": "running", "web": "running"})


def test_a_free_port_again(write_stack):
    """A port that another program takes while the container is stopped: `up` says so, the container stays."""
    port = free_port()
    stack = write_stack(f"""
services:
  web: {{{SLEEP}, ports: ["127.0.0.1:{port}:80"]}}
  other: {{{SLEEP}, depends_on: [web]}}
""")
    stack.run("up", "-d")
    attached = stack.start("up", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with attached:
        for line in attached.stdout:
            if "Attaching" in line:
                attached.send_signal(signal.SIGINT)
        assert attached.wait(60) == 130
    with socket.create_server(("127.0.0.1", port)):
        (error,) = shown(stack.run("up", "-d", code=1))
        assert f"{port}" in error
        assert states(stack) == {"web": "exited", "other": "exited"}
        assert str(port) in stack.containers()["web"]["Error"]
    stack.run("up", "-d")
    assert states(stack) == {"web": "running", "other": "running"}
