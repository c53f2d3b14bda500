"""A bad edit never takes the good container down first."""

from __future__ import annotations

import json
import os
import socket

import pytest

from orchestra.shim.state import state

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.timeout(120),
]

LEFT_ALONE = "the container with the earlier definition was left alone"
GOOD = """services:
  web:
    image: rootfs:/
    stop_signal: SIGKILL
    command: sleep 1000
"""


def standing(stack):
    """The container's identity and its first process."""
    row = stack.containers()["web"]
    assert row["State"] == "running"
    return row["ID"], pid(stack, "web")


def pid(stack, service):
    return state(str(stack.home / f"run/stacks/stack/containers/stack-{service}-1")).pid


def edit(stack, line, text=GOOD):
    stack.file.write_text(f"{text}    {line}\n")


def assert_left_alone(stack, message):
    """Told beforehand by a plan, refused by ``up``, and by the next one again."""
    before = standing(stack)
    for _ in range(2):
        plan = stack.run("plan", code=None)
        assert message in plan.stdout, plan.stderr
        done = stack.run("up", "-d", code=1)
        assert message in done.stderr
        assert "compose.yaml:" in done.stderr
        assert LEFT_ALONE in done.stderr
        assert standing(stack) == before
    stack.file.write_text(GOOD)
    assert "nothing to do" in stack.run("plan").stdout
    stack.run("up", "-d")
    assert standing(stack) == before


def test_good_container_gone_for_a_bad_edit(write_stack):
    stack = write_stack('services:\n  web: {image: "rootfs:/", init: true, command: sleep 1000}\n')
    stack.run("up", "-d")
    before = standing(stack)
    stack.file.write_text(stack.file.read_text().replace("init", "user: nobodyy, init"))
    done = stack.run("up", "-d", code=1)
    assert "user 'nobodyy' does not exist in the image" in done.stderr
    assert "compose.yaml:2" in done.stderr
    assert standing(stack) == before


# What is added to a service, and what the refusal says.
EDITS = [
    ("user: nobodyy", "user 'nobodyy' does not exist in the image"),
    ("user: root:nogroupp", "group 'nogroupp' does not exist in the image"),
    ("group_add: [nogroupp]", "group 'nogroupp' does not exist in the image"),
    ("entrypoint: nosuchprogram", "execve nosuchprogram: No such file or directory"),
    ("entrypoint: /no/such/program", "execve /no/such/program: No such file or directory"),
    ("entrypoint: /etc/passwd", "execve /etc/passwd: Permission denied"),
    ("entrypoint: /etc", "execve /etc: Permission denied"),
    ("working_dir: /etc/passwd", "chdir /etc/passwd: Not a directory"),
    ("volumes: [{type: bind, source: /no/such, target: /t}]", "/no/such, to be mounted at /t, does not exist"),
    ("volumes: ['/etc:/proc/sys']", "/proc/sys is inside /proc"),
    ("volumes: ['/etc:/etc/passwd']", "move_mount /etc/passwd: Not a directory"),
    ("tmpfs: [/etc/passwd]", "move_mount /etc/passwd: Not a directory"),
    ("ulimits: {nofiles: 5}", "unknown ulimit nofiles"),
    ("devices: [/dev/nosuch]", "device /dev/nosuch"),
    ("sysctls: {kernel.panic: 1}", "sysctl kernel.panic cannot be set for a container"),
    ("sysctls: {net.core.nosuch: 1}", "sysctl net.core.nosuch: No such file"),
    ("runtime: nosuchruntime", "the runtime nosuchruntime is not installed"),
    ("security_opt: [nonsense]", "security_opt nonsense"),
    ("security_opt: ['seccomp=./none.json']", "none.json cannot be read"),
    ("cpuset: '4000'", "cpuset 4000: this machine has only the processors"),
    ("mem_limit: 1m", "a memory limit of 1048576 bytes is too small"),
    (f"hostname: {'h' * 65}", "is longer than 64"),
    ("stop_signal: SIGNONE", "SIGNONE"),
    ("extra_hosts: {other: nowhere}", "nowhere is not an IP address"),
]


def test_bad_edits_of_every_kind_are_refused_beforehand(write_stack):
    good = [f"  s{number}: {{image: 'rootfs:/', command: sleep 1000, " for number in range(len(EDITS))]
    stack = write_stack("\n".join(["services:", *(f"{service}stop_signal: SIGKILL}}" for service in good)]))
    stack.run("up", "-d")
    before = {service: (row["ID"], pid(stack, service)) for service, row in stack.containers().items()}
    bad = [f"{service}{line}}}" for service, (line, _message) in zip(good, EDITS, strict=True)]
    stack.file.write_text("\n".join(["services:", *bad]))
    plan = stack.run("plan", code=None).stdout
    rounds = [line for line in plan.splitlines() if not line.startswith("failed")]
    assert rounds == ["nothing to do"]
    done = stack.run("--progress", "json", "up", "-d", code=1)
    for number, (_line, message) in enumerate(EDITS):
        told = next(line for line in plan.splitlines() if line.startswith(f"failed   container/stack-s{number}-1 "))
        assert message in told
        assert any(f"stack-s{number}-1" in line and message in line for line in done.stderr.splitlines()), done.stderr
    assert LEFT_ALONE in done.stderr
    assert {service: (row["ID"], pid(stack, service)) for service, row in stack.containers().items()} == before


def test_a_port_that_another_program_has_is_refused_beforehand(write_stack):
    stack = write_stack(GOOD)
    stack.run("up", "-d")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        edit(stack, f"ports: ['127.0.0.1:{number}:80']")
        assert_left_alone(stack, f"port {number}/tcp on 127.0.0.1 is already in use")
    edit(stack, f"ports: ['127.0.0.1:{number}:80']")
    stack.run("up", "-d")


def test_a_command_in_a_volume_is_for_the_start_to_judge(write_stack, tmp_path):
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/serve"
    script.write_text("#!/bin/sh\nexec sleep 1000\n")
    script.chmod(0o755)
    stack = write_stack(GOOD)
    stack.run("up", "-d")
    edit(stack, f"entrypoint: /own/serve\n    volumes: ['{tmp_path}/bin:/own']")
    stack.run("up", "-d")
    standing(stack)


def test_what_the_kernel_refuses_brings_the_earlier_container_back(write_stack, tmp_path):
    """A script below a mount is not executable: no check can know."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/serve").write_text("no program")
    (tmp_path / "bin/serve").chmod(0o755)
    stack = write_stack(GOOD)
    stack.run("up", "-d")
    edit(stack, f"entrypoint: /own/serve\n    volumes: ['{tmp_path}/bin:/own']")
    done = stack.run("up", "-d", code=1)
    assert "execve /own/serve: Exec format error" in done.stderr
    assert "the container was started again with its earlier definition" in done.stderr
    before = standing(stack)
    stack.run("up", "-d", code=1)
    assert standing(stack) != before
    stack.file.write_text(GOOD)
    before = standing(stack)
    stack.run("up", "-d")
    assert standing(stack) == before


def test_siblings_of_a_refused_edit_are_replaced(write_stack):
    text = GOOD + "  other: {image: 'rootfs:/', command: sleep 1000, stop_signal: SIGKILL, environment: {A: '1'}}\n"
    stack = write_stack(text)
    stack.run("up", "-d")
    before, other = standing(stack), stack.containers()["other"]["ID"]
    stack.file.write_text(text.replace("command: sleep 1000\n", "user: nobodyy\n").replace("'1'", "'2'"))
    stack.run("up", "-d", code=1)
    assert standing(stack) == before
    assert stack.containers()["other"]["ID"] != other


def test_dependents_that_restart_with_it_are_left_alone(write_stack):
    text = GOOD + (
        "  front:\n    image: rootfs:/\n    command: sleep 1000\n    stop_signal: SIGKILL\n"
        "    depends_on: {web: {condition: service_started, restart: true}}\n"
    )
    stack = write_stack(text)
    stack.run("up", "-d")
    before = standing(stack), pid(stack, "front")
    stack.file.write_text(text.replace("    command: sleep 1000\n", "    command: nosuch\n", 1))
    stack.run("up", "-d", code=1)
    assert (standing(stack), pid(stack, "front")) == before


def test_dependents_that_restart_with_it_are_back_when_up_says_so(write_stack):
    text = GOOD + (
        "  front:\n    image: rootfs:/\n    command: sleep 1000\n    stop_signal: SIGKILL\n"
        "    depends_on: {web: {condition: service_started, restart: true}}\n"
    )
    stack = write_stack(text)
    stack.run("up", "-d")
    # The value is for the kernel to judge.
    stack.file.write_text(text.replace("  front:", "    sysctls: {net.core.somaxconn: abc}\n  front:"))
    done = stack.run("up", "-d", code=1)
    assert "started again with its earlier definition" in done.stderr
    assert {service: row["State"] for service, row in stack.containers().items()} == dict.fromkeys(
        ("web", "front"), "running"
    )


def test_a_refused_edit_stays_refused_when_the_supervisor_is_new(write_stack):
    stack = write_stack(GOOD.replace("    stop_signal: SIGKILL\n", "    stop_signal: SIGKILL\n    restart: always\n"))
    stack.run("up", "-d")
    before = standing(stack)
    edit(stack, "user: nobodyy", stack.file.read_text())
    stack.run("up", "-d", code=1)
    desired = json.loads((stack.home / "data/stacks/stack/desired.json").read_text())
    [container] = desired["containers"]
    assert not container.get("user")
    assert standing(stack) == before


@pytest.mark.parametrize("line", ["network_mode: container:nosuch", "pid: container:nosuch"])
def test_what_stays_missing_is_refused_as_well(write_stack, line):
    """A namespace that nothing will ever own: tried again for a while, and the good container runs all the time."""
    stack = write_stack(GOOD)
    stack.run("up", "-d")
    before = standing(stack)
    edit(stack, line)
    done = stack.run("up", "-d", code=1)
    assert "container nosuch, whose" in done.stderr
    assert LEFT_ALONE in done.stderr
    assert standing(stack) == before


def test_what_restarts_with_a_changed_service_goes_on_as_it_was_if_its_own_edit_is_bad(write_stack):
    text = """services:
  db: {{image: "rootfs:BUSYBOX", init: true, command: sleep 1000, stop_signal: {db}}}
  web:
    image: rootfs:BUSYBOX
    command: sleep 1000
    init: true
    depends_on: {{db: {{condition: service_started, restart: true}}}}
    {web}
"""
    stack = write_stack(text.format(db="SIGKILL", web="stop_signal: SIGKILL"))
    stack.run("up", "-d")
    before = stack.containers()
    first = pid(stack, "web")
    stack.write(text.format(db="SIGTERM", web="user: nobodyy"))
    assert "user 'nobodyy' does not exist in the image" in stack.run("up", "-d", code=1).stderr
    after = stack.containers()
    assert after["db"]["ID"] != before["db"]["ID"]
    assert after["web"]["ID"] == before["web"]["ID"]
    assert after["web"]["State"] == "running"
    assert pid(stack, "web") != first
