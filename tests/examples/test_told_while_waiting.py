"""What `up`, `ps` and `events` tell while something takes its time, and when it does not come to anything."""

from __future__ import annotations

import json
import os
import pty
import re

from tests.cli.test_progress import read_terminal
from tests.examples.conftest import needs_containers

pytestmark = needs_containers

SLEEP = 'image: "rootfs:BUSYBOX", command: [sleep, "1000"], stop_signal: SIGKILL'
SLOW = f"""
services:
  dep: {{{SLEEP}, healthcheck: {{test: test -e /tmp/ready, interval: 50ms, retries: 10000}}}}
  main: {{{SLEEP}, depends_on: {{dep: {{condition: service_healthy}}}}}}
"""


def test_progress_says_done_while_it_waits(write_stack):
    stack = write_stack(SLOW)
    master, slave = pty.openpty()
    process = stack.start("up", "-d", stdout=slave, stderr=slave)
    os.close(slave)
    shown = ""
    while "Waiting" not in shown:
        shown += read_terminal(master).decode()
    frame = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).rpartition("[+]")[2]
    assert re.search(r"Running 2/3", frame), shown
    assert re.search(r"Container stack-dep-1\s+Waiting \d+\.\d+s to be healthy", frame), shown
    assert "✔" not in next(line for line in frame.splitlines() if "Waiting" in line)
    stack.run("exec", "-T", "dep", "touch", "/tmp/ready")
    shown = b"".join(iter(lambda: read_terminal(master), b"")).decode()
    os.close(master)
    assert process.wait(timeout=60) == 0
    assert "Running 3/3" in shown.rpartition("[+]")[2]


def test_a_command_for_some_services_does_not_tell_what_others_wait_for(write_stack):
    stack = write_stack(SLOW + f"  other: {{{SLEEP}}}\n")
    waiting = stack.start("up", "-d", stderr=-1)
    while "Waiting" not in waiting.stderr.readline():
        continue
    assert "dep" not in stack.run("up", "-d", "--force-recreate", "other").stderr
    stack.run("exec", "-T", "dep", "touch", "/tmp/ready")
    assert "Healthy" in waiting.communicate(timeout=60)[1]


def test_a_pipe_shows_what_a_second_command_awaits_too(write_stack):
    stack = write_stack(SLOW)
    processes = [stack.start("up", "-d", stderr=-1), stack.start("--progress", "json", "up", "--wait", stderr=-1)]
    for process in processes:
        for line in process.stderr:
            if "stack-dep-1" in line and "Waiting" in line:
                break
    stack.run("exec", "-T", "dep", "touch", "/tmp/ready")
    for process in processes:
        rest = process.stderr.read()
        process.stderr.close()
        assert process.wait(timeout=60) == 0
        assert "Healthy" in rest


def test_unhealthy_without_the_reason(write_stack):
    test = '[CMD, sh, -c, "echo trying; echo database is down >&2; exit 3"]'
    check = f"healthcheck: {{test: {test}, interval: 100ms, retries: 2}}"
    needing = f"web: {{{SLEEP}, depends_on: {{a: {{condition: service_healthy}}}}}}"
    stack = write_stack(f"services:\n  a: {{{SLEEP}, {check}}}\n  {needing}\n")
    said = stack.run("up", "--wait", "a", code=1).stderr
    assert "Container stack-a-1 Unhealthy: database is down (exit code 3)" in said
    assert "container stack-a-1 is unhealthy: database is down (exit code 3)" in said
    said = stack.run("up", "-d", code=1).stderr
    assert "dependency failed to start: container stack-a-1 is unhealthy: database is down (exit code 3)" in said
    assert "(unhealthy: database is down (exit code 3))" in stack.run("ps").stdout
    row = stack.containers()["a"]
    assert (row["Health"], row["HealthExitCode"]) == ("unhealthy", 3)
    assert row["HealthOutput"] == "trying\ndatabase is down\n"


def test_a_health_check_that_cannot_run_or_does_not_end_is_reported_as_such(write_stack):
    missing = "healthcheck: {test: [CMD, nosuch], interval: 100ms, retries: 2}"
    endless = 'healthcheck: {test: "echo begun; sleep 1000", interval: 200ms, timeout: 1500ms, retries: 1}'
    stack = write_stack(f"services: {{a: {{{SLEEP}, {missing}}}, b: {{{SLEEP}, {endless}}}}}\n")
    said = stack.run("up", "--wait", "a", code=1).stderr
    assert "stack-a-1 is unhealthy: the health check cannot be run: execve nosuch: No such file or directory" in said
    assert "stack-b-1 is unhealthy: timed out after 1.5 s. begun" in stack.run("up", "--wait", "b", code=1).stderr
    assert stack.containers()["b"]["HealthExitCode"] is None


def test_running_out_of_memory_is_said_in_words(write_stack):
    greedy = 'command: [sh, -c, "x=x; while :; do x=$$x$$x; done"], mem_limit: 16m, memswap_limit: 16m'
    greedy += ', healthcheck: {test: "false", interval: 1h}'
    stack = write_stack(f'services: {{greedy: {{image: "rootfs:BUSYBOX", {greedy}}}, b: {{{SLEEP}}}}}\n')
    stack.run("up", "-d", "b")
    watching = stack.start("events", stdout=-1)
    said = stack.run("up", "--wait", "greedy", code=1).stderr
    assert "container stack-greedy-1 exited (137, out of memory: its limit is 16 MiB)" in said
    row = stack.containers()["greedy"]
    assert (row["ExitCode"], row["OOMKilled"]) == (137, True)
    assert "Exited (137, out of memory)" in stack.run("ps", "-a").stdout
    attached = stack.run("up", "greedy", code=None)
    assert "greedy-1 exited with code 137, out of memory" in attached.stdout
    stack.run("down")
    events, _ = watching.communicate(timeout=60)
    assert "container exited stack-greedy-1 (exit code 137, out of memory)" in events
    assert json.dumps(row)
