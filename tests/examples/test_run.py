"""``orchestra run`` in real containers: streams, signals, terminals, exit codes, and what is left behind."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from orchestra.linux import tty
from tests.examples.conftest import eventually, needs_containers
from tests.examples.terminals import Typed
from tests.examples.test_survival import greeting

pytestmark = needs_containers

STACK = """
services:
  db:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "echo ready > /data/db; exec sleep 1000"]
    stop_signal: SIGKILL
    volumes: [data:/data]
    healthcheck: {test: [CMD, test, -e, /data/db]}
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "cat /data/db; echo $$GREETING"]
    environment: {GREETING: hello}
    depends_on: {db: {condition: service_healthy}}
    volumes: [data:/data, /anonymous]
    ports: ["PORT:80"]
    profiles: [tools]
    restart: always
volumes: {data: {}}
"""
ALONE = """
services:
  job: {image: "rootfs:BUSYBOX", command: [sleep, "1000"], init: true, network_mode: none}
"""


@pytest.fixture
def stack(write_stack):
    from tests.examples.conftest import free_port

    return write_stack(STACK.replace("PORT", str(free_port())))


def rows(stack):
    return [json.loads(line) for line in stack.run("ps", "-a", "--format", "json").stdout.splitlines()]


def names(stack):
    return {row["Name"] for row in rows(stack)}


def pipes(stack, *arguments, **options):
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return stack.start(*arguments, **(streams | options))


def sockets(pid):
    """That a process has now."""
    return {link for link in map(os.readlink, Path(f"/proc/{pid}/fd").iterdir()) if link.startswith("socket:")}


def test_the_command_of_the_service_runs_once_after_its_dependencies(stack):
    done = stack.run("run", "--rm", "web")
    assert done.stdout == "ready\nhello\n"
    assert "Container stack-db-1 Healthy" in done.stderr
    assert names(stack) == {"stack-db-1"}
    volumes = stack.run("volumes", "-q").stdout.split()
    assert volumes == ["stack_data"]


def test_options_say_what_is_otherwise(stack, tmp_path):
    (stack.folder / "more.env").write_text("FROM_FILE=1\nGREETING=file\n")
    (stack.folder / "shown").mkdir()
    (stack.folder / "shown/file").write_text("seen\n")
    script = "id -u; pwd; echo $GREETING $FROM_FILE; cat /shown/file; touch /shown/x 2>&1; grep CapBnd /proc/1/status"
    done = stack.run(
        *("run", "-q", "--rm", "--no-deps", "-u", "1000", "-w", "/tmp", "-e", "GREETING=hi"),
        *("--env-from-file", str(stack.folder / "more.env"), "-v", f"{stack.folder}/shown:/shown:ro"),
        *("--cap-drop", "ALL", "--entrypoint", "sh -c", "web", script),
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[:4] == ["1000", "/tmp", "hi 1", "seen"]
    assert "Read-only" in lines[4]
    assert lines[5].split()[1] == "0" * 16
    assert names(stack) == set()


def test_without_rm_it_stays_and_only_ps_a_shows_it(stack):
    stack.run("run", "-q", "--no-deps", "--name", "kept", "-l", "a=b", "web", "sh", "-c", "echo hi; exit 3", code=3)
    (row,) = rows(stack)
    assert (row["Name"], row["State"], row["ExitCode"]) == ("kept", "exited", 3)
    assert "com.docker.compose.oneoff=True" in row["Labels"]
    assert "a=b" in row["Labels"]
    assert not row["Publishers"]
    assert stack.run("ps", "--format", "json", "--status", "exited").stdout == ""
    assert "in use by another container" in stack.run("run", "--no-deps", "--name", "kept", "web", code=1).stderr
    stack.run("rm", "-f")
    stack.run("up", "-d", "db")
    assert names(stack) == {"kept", "stack-db-1"}
    assert "hi" in stack.run("logs", "web").stdout
    stack.run("up", "-d", "--remove-orphans", "db")
    assert names(stack) == {"stack-db-1"}
    stack.run("down", "-t", "0")
    assert names(stack) == set()


def test_in_the_background_it_prints_an_id_and_other_commands_leave_it_alone(stack):
    identifier = stack.run("run", "-q", "-d", "--service-ports", "web", "sleep", "1000").stdout.strip()
    (row,) = [row for row in rows(stack) if row["Service"] == "web"]
    assert identifier.startswith(row["ID"])
    assert row["Publishers"]
    for command in (["stop", "-t", "0"], ["restart", "-t", "0"], ["kill"], ["up", "-d", "--force-recreate", "db"]):
        stack.run(*command)
    stack.run("exec", "web", "true")  # without replicas of the service, it is meant
    assert next(each for each in rows(stack) if each["Service"] == "web")["ID"] == row["ID"]
    assert [each["State"] for each in rows(stack) if each["Service"] == "web"] == ["running"]
    assert "sleep 1000" in stack.run("top").stdout


def test_what_cannot_be_started_has_dockers_exit_codes_and_leaves_nothing(stack):
    done = stack.run("run", "--no-deps", "-q", "web", "/no/such/program", code=127)
    assert "compose.yaml:9:3" in done.stderr
    stack.run("run", "--no-deps", "-q", "web", "/etc/passwd", code=126)
    stack.run("run", "--no-deps", "-q", "-u", "nobody-there", "web", "true", code=125)
    assert "no such service" in stack.run("run", "wib", code=1).stderr
    assert "declares no volume nope" in stack.run("run", "-v", "nope:/x", "web", code=1).stderr
    assert names(stack) == set()


def test_two_hundred_megabytes_are_complete_with_a_slow_reader_and_nothing_else_is_among_them(write_stack):
    stack = write_stack(ALONE)
    size = 200 << 20
    command = ["sh", "-c", f"echo noise >&2; head -c {size} /dev/zero | tr '\\0' '\\377'"]
    with pipes(stack, "run", "-T", "--rm", "job", *command, text=False) as running:
        digest, count = hashlib.sha256(), 0
        while data := running.stdout.read(1 << 20):
            if count < 20 << 20:
                time.sleep(0.01)
            digest.update(data)
            count += len(data)
        assert running.stderr.read().endswith(b"noise\n")
    assert (running.returncode, count) == (0, size)
    assert digest.digest() == hashlib.sha256(b"\xff" * size).digest()
    assert names(stack) == set()


def test_input_reaches_the_program_whole_and_ends(write_stack, tmp_path):
    stack = write_stack(ALONE)
    (tmp_path / "input").write_bytes(os.urandom(5 << 20))
    with open(tmp_path / "input", "rb") as file:
        wanted = hashlib.md5(file.read()).hexdigest()
        file.seek(0)
        with pipes(stack, "run", "-q", "--rm", "job", "md5sum", stdin=file) as running:
            assert running.communicate(timeout=60)[0].split()[0] == wanted
    assert stack.run("run", "-q", "--rm", "-i=false", "job", "cat").stdout == ""


def test_a_reader_that_leaves_ends_the_command_and_not_the_container(write_stack):
    stack = write_stack(ALONE)
    with pipes(stack, "run", "-q", "job", "sh", "-c", "yes; sleep 1000") as running:
        assert running.stdout.readline() == "y\n"
        running.stdout.close()
        assert running.wait(timeout=30) == 128 + signal.SIGPIPE
    assert [row["State"] for row in rows(stack)] == ["running"]


def test_signals_are_the_programs(write_stack):
    stack = write_stack(ALONE)
    script = "trap 'echo hup' HUP; trap 'exit 5' INT; echo begun; while :; do sleep 0.05; done"
    with pipes(stack, "run", "-q", "--rm", "job", "sh", "-c", script) as running:
        assert running.stdout.readline() == "begun\n"
        running.send_signal(signal.SIGHUP)
        assert running.stdout.readline() == "hup\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == 5
    with pipes(stack, "run", "-q", "--rm", "job", "sh", "-c", "echo begun; exec sleep 1000") as running:
        assert running.stdout.readline() == "begun\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == 130
    stubborn = "trap 'echo not yet' INT; echo begun; while :; do sleep 0.05; done"
    with pipes(stack, "run", "-q", "--rm", "job", "sh", "-c", stubborn) as running:
        assert running.stdout.readline() == "begun\n"
        running.send_signal(signal.SIGINT)
        assert running.stdout.readline() == "not yet\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == 137
    eventually(lambda: not names(stack))


def test_an_interrupt_while_the_container_is_removed_keeps_the_programs_exit_code(write_stack):
    stack = write_stack(ALONE)
    script = "echo begun; read line; exit 5"
    with pipes(stack, "run", "-q", "--rm", "job", "sh", "-c", script, stdin=subprocess.PIPE) as running:
        assert running.stdout.readline() == "begun\n"
        supervisor = greeting(next((stack.home / "run/stacks").glob("*")))["supervisor"]
        attached = sockets(running.pid)
        os.kill(supervisor, signal.SIGSTOP)  # it would remove the container
        try:
            running.stdin.write("word\n")
            running.stdin.flush()
            eventually(lambda: attached - sockets(running.pid))
            running.send_signal(signal.SIGINT)
            assert running.wait(timeout=30) == 5
        finally:
            os.kill(supervisor, signal.SIGCONT)
    eventually(lambda: not names(stack))


def test_an_interrupt_while_it_waits_gives_it_up(write_stack):
    text = STACK.replace("test, -e, /data/db", "test, -e, /never").replace('["PORT:80"]', "[]")
    stack = write_stack(text)
    with pipes(stack, "run", "web") as running:
        for line in running.stderr:
            if "Waiting to be healthy" in line:
                break
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == 130
    assert names(stack) == {"stack-db-1"}


def test_the_container_outlives_a_command_and_a_supervisor_that_are_killed_and_is_removed_at_its_end(write_stack):
    stack = write_stack(ALONE)
    script = "echo begun; while [ ! -e /tmp/end ]; do sleep 0.05; done"
    with pipes(stack, "run", "-q", "--rm", "job", "sh", "-c", script) as running:
        assert running.stdout.readline() == "begun\n"
        running.kill()
    (name,) = names(stack)
    home = next((stack.home / "run/stacks").glob("*"))
    os.kill(greeting(home)["supervisor"], signal.SIGKILL)
    pid = json.loads(Path(f"{home}/containers/{name}/state.json").read_text())["pid"]
    Path(f"/proc/{pid}/root/tmp/end").touch()
    eventually(lambda: not names(stack))


def test_a_command_goes_on_when_the_supervisor_or_the_shim_is_killed(write_stack):
    stack = write_stack(ALONE)
    script = "echo begun; read line; echo got $line; exit 6"
    with pipes(stack, "run", "-q", "--rm", "job", "sh", "-c", script, stdin=subprocess.PIPE) as running:
        assert running.stdout.readline() == "begun\n"
        home = next((stack.home / "run/stacks").glob("*"))
        (name,) = names(stack)
        os.kill(greeting(home)["supervisor"], signal.SIGKILL)
        running.stdin.write("word\n")
        running.stdin.flush()
        assert running.stdout.readline() == "got word\n"
        assert running.wait(timeout=30) == 6
    script = "n=0; while :; do n=$((n + 1)); echo $n; sleep 0.1; done"
    with pipes(stack, "run", "-q", "--rm", "job", "sh", "-c", script) as running:
        assert running.stdout.readline() == "1\n"
        (name,) = names(stack)
        shim = Path(f"{home}/containers/{name}/shim.pid")
        before = json.loads(shim.read_text())["pid"]
        os.kill(before, signal.SIGKILL)
        eventually(lambda: json.loads(shim.read_text())["pid"] != before)
        last = next(int(line) for line in running.stdout if int(line) > 20)  # by way of the next shim
        assert next(running.stdout) == f"{last + 1}\n"
        running.send_signal(signal.SIGTERM)
        running.stdout.read()
        assert running.wait(timeout=30) == 143
    eventually(lambda: not names(stack))


def test_several_run_at_once(stack):
    running = [pipes(stack, "run", "-q", "--rm", "web", "sh", "-c", f"echo {n}; sleep 0.2") for n in range(4)]
    outputs = [each.communicate(timeout=60) for each in running]
    assert [out for out, _ in outputs] == [f"{n}\n" for n in range(4)]
    assert [each.returncode for each in running] == [0] * 4
    assert names(stack) == {"stack-db-1"}


def test_a_terminal_is_the_programs_with_its_size_and_its_keys(write_stack):
    stack = write_stack(ALONE)
    script = "tty; stty size; trap 'stty size' WINCH; trap 'exit 9' INT; echo begun; while :; do sleep 0.05; done"
    with Typed(stack, "run", "-q", "--rm", "job", "sh", "-c", script, rows=20, columns=60) as terminal:
        terminal.until("/dev/")
        terminal.until("begun")
        tty.set_size(terminal.master, tty.Size(33, 77))
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.until("33 77")
        terminal.type("\x03")
        assert terminal.process.wait(timeout=30) == 9
        assert terminal.is_as_before()
    assert names(stack) == set()


def test_the_keys_for_it_detach_and_leave_it_running(write_stack):
    stack = write_stack(ALONE)
    with Typed(stack, "run", "-q", "job", "sh") as terminal:
        terminal.type("echo be''gun\r")
        terminal.until("begun")
        terminal.type("\x10\x11")
        terminal.until("Detached")
        assert terminal.process.wait(timeout=30) == 0
        assert terminal.is_as_before()
    assert [row["State"] for row in rows(stack)] == ["running"]
