"""A process of the stack is killed in the middle of ``up`` or ``down``: the next command finds, and makes, all of it.

A moment is a number of lines of progress: the process is killed as soon as so many have been written.
"""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from orchestra.driver.local.net.mark import home_hash
from orchestra.home import Home
from orchestra.linux.process import identify, open_pidfd, parent
from tests.cli.test_prune import processes_of
from tests.examples.conftest import eventually, free_port, needs_containers

pytestmark = needs_containers

STACK = """
services:
  db:
    image: "rootfs:/"
    command: [sleep, infinity]
    stop_signal: SIGKILL
    healthcheck: {{test: [CMD, "true"], interval: 1s}}
  web:
    image: "rootfs:/"
    command: [python3, -m, http.server, "80", --directory, /var/empty-for-this]
    stop_signal: SIGKILL
    ports: ["127.0.0.1:{port}:80"]
    depends_on: {{db: {{condition: service_healthy}}}}
    tmpfs: [/var/empty-for-this]
  api: {{image: "rootfs:/", command: [sleep, infinity], stop_signal: SIGKILL, deploy: {{replicas: 2}}}}
"""
MOMENTS = {"fork server": (1, 6, 12), "supervisor": (3, 9), "shims": (6, 12), "zygote": (9,)}


def find(stack, victim: str) -> list[int]:
    """The processes that are called so, of those that live now."""
    found = []
    for pid, name in processes_of(stack).items():
        try:
            above = Path(f"/proc/{parent(pid)}/comm").read_text().strip()
        except OSError:
            continue
        kinds = {"orchestra-shim": "shims", "orchestra-fork": "fork server", "orchestra-names": "resolver"}
        kind = kinds.get(name, "supervisor")
        if kind == "fork server" and above in ("orchestra-shim", "orchestra-fork"):
            kind = "zygote"
        if kind == victim:
            found.append(pid)
    return found


def run_and_kill(stack, victim: str, moment: int, *arguments: str) -> None:
    """Run the command, and kill that process of the stack when so many lines of progress have come."""
    with stack.start("--progress", "plain", *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as command:
        for number, _line in enumerate(command.stdout, 1):
            if number == moment:
                for pid in find(stack, victim):
                    pidfd = open_pidfd(identify(pid))
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                    os.close(pidfd)
        command.wait(60)


def answers(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as reply:
        return reply.status == 200


def check_works(stack, port: int) -> None:
    """Everything that follows from state is there: rules, names, hosts files, ways between containers and out."""
    assert eventually(lambda: answers(port))
    rows = stack.containers()
    assert {row["State"] for row in rows.values()} == {"running"}, rows
    address = stack.run("exec", "-T", "api", "getent", "hosts", "web").stdout.split()[0]
    assert f"{address}\t" in stack.run("exec", "-T", "web", "cat", "/etc/hosts").stdout


def tables(stack) -> list[str]:
    """Those of the stack's home: other tests have theirs at the same time."""
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if home_hash(Home(f"{stack.home}/data", f"{stack.home}/run")) in line]


@pytest.mark.parametrize(("victim", "moment"), [(victim, at) for victim, moments in MOMENTS.items() for at in moments])
def test_fork_server_killed_in_up_no_rules(write_stack, victim, moment):
    port = free_port()
    stack = write_stack(STACK.format(port=port))
    run_and_kill(stack, victim, moment, "up", "-d")
    stack.run("up", "-d")
    check_works(stack, port)
    run_and_kill(stack, victim, moment, "down", "-t", "1")
    stack.run("down", "-t", "1")
    assert tables(stack) == []
    assert eventually(lambda: not processes_of(stack))
    assert not (stack.home / "run/stacks/stack").exists()
