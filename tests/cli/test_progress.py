"""What a command shows of its progress: complete when it ends, and no row left turning on the terminal."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess

import pytest
from rich.console import Console

from orchestra.cli.render.live import Live
from orchestra.cli.render.progress import Awaiting, JsonLines, Plain, Quiet
from orchestra.model.event import ActionEvent, Awaited, BlockedEvent, ContainerEvent, HealthEvent, Phase, PullEvent
from orchestra.model.health import Health, HealthStatus
from orchestra.model.resource import ResourceId
from orchestra.model.result import ContainerState
from orchestra.record import replace

STACK = """
services:
  a: &service {image: "rootfs:/", command: [sh, -c, "echo here"]}
  b: *service
  c: *service
  d: *service
  e: *service
"""


def acted(verb, phase, name="s-web-1", **fields):
    return ActionEvent(1.0, verb, ResourceId.container(name), Phase(phase), **fields)


def pull(phase):
    return ActionEvent(1.0, "pull", ResourceId.image("app"), Phase(phase))


def row(state, name="s-web-1", health=HealthStatus.NONE):
    return ContainerState(name, "web", state, health)


def test_what_was_starting_when_the_result_came_is_said_to_have_started(capfd):
    progress = Plain()
    progress.hear(acted("start", "started"))
    progress.settle([row("running"), row("running", "s-db-1")])
    assert capfd.readouterr().err.splitlines() == [
        " Container s-web-1 Starting",
        " Container s-web-1 Started",
        " Container s-db-1 Running",
    ]


def test_what_has_not_started_is_not_said_to_have(capfd):
    progress = Plain()
    progress.hear(acted("start", "failed"))
    progress.hear(acted("start", "started", "s-db-1"))
    progress.settle([row("created"), row("created", "s-db-1")])
    assert capfd.readouterr().err.splitlines() == [" Container s-web-1 Error", " Container s-db-1 Starting"]


def test_a_replaced_container_is_recreated_and_one_that_is_stopped_is_not(capfd):
    progress = Plain()
    for verb in ("stop", "remove"):
        for phase in ("started", "done"):
            progress.hear(acted(verb, phase, replaces=True))
            progress.hear(acted(verb, phase, "s-db-1"))
    for verb in ("create", "start"):
        for phase in ("started", "done"):
            progress.hear(acted(verb, phase))
    assert capfd.readouterr().err.splitlines() == [
        " Container s-web-1 Recreate",
        " Container s-db-1 Stopping",
        " Container s-db-1 Stopped",
        " Container s-db-1 Removing",
        " Container s-db-1 Removed",
        " Container s-web-1 Recreated",
        " Container s-web-1 Starting",
        " Container s-web-1 Started",
    ]


def test_a_replacement_that_fails_ends_with_its_error(capfd):
    progress = Plain()
    progress.hear(acted("stop", "started", replaces=True))
    progress.hear(acted("stop", "failed", replaces=True, error="db hook exited with status 1"))
    progress.hear(acted("create", "started"))
    assert capfd.readouterr().err.splitlines() == [
        " Container s-web-1 Recreate",
        " Container s-web-1 Error",
        " Container s-web-1 Creating",
    ]


def test_pulling_is_not_shown_when_that_is_asked_for(capfd):
    progress = Plain()
    progress.hides_images = True
    progress.hear(pull("started"))
    progress.hear(acted("create", "done"))
    assert capfd.readouterr().err.splitlines() == [" Container s-web-1 Created"]


def test_a_live_display_shows_nothing_of_nothing_and_leaves_no_row_turning():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, no_color=True, width=80)
    with Live(color=False, console=console):
        pass
    assert screen.getvalue() == ""
    with Live(color=False, console=console) as live:
        live.hear(acted("create", "started"))
    last = screen.getvalue().rpartition("[+]")[2]
    assert "… " in last
    assert "Creating" in last


def blocked(*rows):
    container = ResourceId.container
    return BlockedEvent(1.0, (), tuple(Awaited(container(name), what, container(by)) for name, what, by in rows))


def health(status, name="s-db-1", **fields):
    return HealthEvent(1.0, name, "", Health(HealthStatus(status), **fields))


def exited(code, name="s-db-1", **fields):
    return ContainerEvent(1.0, name, "", "exited", code, **fields)


def test_progress_says_what_it_waits_for(capfd):
    progress = Plain()
    for event in (
        acted("start", "done", "s-db-1"),
        blocked(("s-db-1", "to be healthy", "s-web-1"), ("s-job-1", "to complete", "s-web-1")),
        health("starting"),
        exited(0, "s-job-1"),
        blocked(("s-db-1", "to be healthy", "s-web-1")),
        health("healthy"),
        blocked(),
        acted("start", "done"),
    ):
        progress.hear(event)
    assert capfd.readouterr().err.splitlines() == [
        " Container s-db-1 Started",
        " Container s-db-1 Waiting to be healthy",
        " Container s-job-1 Waiting to complete",
        " Container s-job-1 Exited",
        " Container s-db-1 Healthy",
        " Container s-web-1 Started",
    ]


def test_what_concerns_no_dependency_is_told_only_while_the_command_waits_for_it(capfd):
    restarting = blocked(("s-db-1", "to be restarted", "s-db-1"))
    for waits, shown in ((False, []), (True, ["Waiting to be healthy", "Exited (1)", "Waiting to be restarted"])):
        progress = Plain()
        progress.waits = waits
        for event in (health("starting"), exited(1), restarting):
            progress.hear(event)
        lines = [line.removeprefix(" Container s-db-1 ") for line in capfd.readouterr().err.splitlines()]
        assert lines == shown


def test_what_failed_for_the_moment_is_waited_for(capfd):
    progress = Plain()
    progress.hear(replace(acted("create", "failed"), error="port 80 is taken"))
    progress.hear(blocked(("s-web-1", "to be tried again: port 80 is taken", "s-web-1")))
    assert capfd.readouterr().err.splitlines()[-1] == " Container s-web-1 Waiting to be tried again: port 80 is taken"


def test_what_ended_while_it_was_awaited_is_said_in_words(capfd):
    progress = Plain()
    progress.hear(blocked(("s-db-1", "to complete", "s-web-1")))
    progress.hear(exited(137, oom_killed=True))
    progress.hear(health("unhealthy", output="no route\x1b[2J to host\n", exit_code=7))
    assert capfd.readouterr().err.splitlines()[1:] == [
        " Container s-db-1 Exited (137, out of memory)",
        " Container s-db-1 Unhealthy: no route\\x1b[2J to host (exit code 7)",
    ]


def test_what_was_waiting_when_the_result_came_is_as_the_result_says(capfd):
    progress = Plain()
    progress.hear(blocked(*((f"s-{name}-1", "to be healthy", "s-web-1") for name in ("a", "b", "c"))))
    capfd.readouterr()
    progress.settle([row("running", "s-a-1", HealthStatus.HEALTHY), row("running", "s-b-1"), row("exited", "s-c-1")])
    shown = [line.split()[2] for line in capfd.readouterr().err.splitlines()]
    assert shown == ["Healthy", "Started", "Exited"]


def test_waiting_is_work_in_json(capfd):
    progress = JsonLines()
    progress.hear(blocked(("s-db-1", "to be healthy", "s-web-1")))
    line = {"id": "Container s-db-1", "status": "working", "text": "Waiting", "details": "to be healthy"}
    assert json.loads(capfd.readouterr().err) == line


def test_what_other_services_wait_for_is_not_told(capfd):
    progress = Plain()
    progress.services, progress.waits = ("web",), True
    for service in ("other", "web"):
        (row,) = blocked((f"s-{service}-db-1", "to be healthy", f"s-{service}-1")).awaited
        progress.hear(BlockedEvent(1.0, (), (replace(row, service=service),)))
        progress.hear(replace(health("starting", f"s-{service}-2"), service=service))
    assert capfd.readouterr().err.splitlines() == [
        " Container s-web-db-1 Waiting to be healthy",
        " Container s-web-2 Waiting to be healthy",
    ]


def test_beside_logs_only_waiting_is_shown(capfd):
    progress = Awaiting()
    waiting = blocked(("s-db-1", "to be healthy", "s-web-1"))
    for event in (acted("start", "done", "s-db-1"), waiting, waiting, health("healthy"), blocked()):
        progress.hear(event)
    progress.hear(acted("start", "done"))
    progress.settle([row("running"), row("running", "s-db-1"), row("running", "s-log-1")])
    assert capfd.readouterr().err.splitlines() == [
        " Container s-db-1 Waiting to be healthy",
        " Container s-db-1 Healthy",
    ]


@pytest.mark.parametrize("width", [40, 60, 100])
def test_a_live_display_turns_while_it_waits_and_keeps_to_one_line_each(width):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width, color_system=None)
    long = "a-stack-with-a-long-name-database-with-a-long-name-1"
    with Live(color=False, console=console) as live:
        live.hear(acted("create", "done"))
        live.hear(acted("start", "done", long))
        live.hear(blocked((long, "to be healthy", "s-web-1")))
        during = screen.getvalue().rpartition("[+]")[2].splitlines()
        live.hear(blocked())
        live.hear(blocked((long, "to be healthy", "s-web-1")))
        live.hear(health("healthy", long))
    after = screen.getvalue().rpartition("[+]")[2].splitlines()
    assert "Running 1/2" in during[0]
    assert len(during) == 3, during
    assert re.search(r"Waiting \d+\.\ds", during[2])
    assert "✔" not in during[2]
    assert all(len(line) <= width for line in during[1:])
    assert ("to be healthy" in during[2]) == (width == 100)
    assert "Running 2/2" in after[0]
    assert "Healthy" in after[2]


PULLED = PullEvent(1.0, ResourceId.image("app"), 1_500_000, 12_000_000)


def test_bytes_of_a_pull_are_shown_live_until_it_is_done(capfd):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    with Live(color=False, console=console) as live:
        live.hear(pull("started"))
        live.hear(PULLED)
        live.hear(acted("create", "started"))
        assert "Image app" in screen.getvalue()
        assert "Pulling 1.5MB / 12MB" in screen.getvalue()
        live.hear(pull("done"))
    last = screen.getvalue().rpartition("[+]")[2]
    assert "Pulled" in last
    assert "MB" not in last
    for quiet in (Plain(), Quiet()):
        quiet.hear(PULLED)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("hides_images", [False, True])
def test_bytes_of_a_pull_are_numbers_in_json(capfd, hides_images):
    progress = JsonLines()
    progress.hides_images = hides_images
    progress.hear(PULLED)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    numbers = {"current": 1_500_000, "total": 12_000_000, "percent": 12}
    shown = {"id": "Image app", "status": "working", "text": "Pulling", **numbers}
    assert lines == ([] if hides_images else [shown])


def read_terminal(master):
    """Some bytes; none when nobody has the other side open any more."""
    try:
        return os.read(master, 1 << 16)
    except OSError:
        return b""


@pytest.mark.root
@pytest.mark.timeout(120)
@pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")
def test_in_the_foreground_the_terminal_keeps_a_finished_display_before_the_logs(write_stack):
    stack = write_stack(STACK)
    master, slave = os.openpty()
    process = stack.start("up", stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    shown = b"".join(iter(lambda: read_terminal(master), b"")).decode()
    os.close(master)
    assert process.wait(timeout=60) == 0
    last = shown.partition("Attaching to")[0].rpartition("[+]")[2]
    assert last.count("Created") == 6, shown
    assert "Creating" not in last
    assert "Starting" not in last


def test_networks_are_told_after_the_containers_that_leave_them(capfd):
    with Plain() as progress:
        for verb, name, phase in (
            ("remove", ResourceId.container("s-a-1"), Phase.STARTED),
            ("remove", ResourceId.network("s_default"), Phase.STARTED),
            ("remove", ResourceId.container("s-a-1"), Phase.DONE),
            ("remove", ResourceId.network("s_default"), Phase.DONE),
        ):
            progress.hear(ActionEvent(0.0, verb, name, phase))
    assert capfd.readouterr().err.splitlines() == [
        " Container s-a-1 Removing",
        " Container s-a-1 Removed",
        " Network s_default Removing",
        " Network s_default Removed",
    ]


def test_a_restart_is_one_row(capfd):
    progress = Plain()
    progress.restarts = True
    container = ResourceId.container("s-a-1")
    progress.hear(blocked(("s-a-1", "to be restarted", "s-a-1")))
    for verb in ("stop", "start"):
        for phase in (Phase.STARTED, Phase.DONE):
            progress.hear(ActionEvent(0.0, verb, container, phase))
    assert capfd.readouterr().err.splitlines() == [" Container s-a-1 Restarting", " Container s-a-1 Started"]
