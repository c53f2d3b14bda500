"""What a command shows of its progress: complete when it ends, and no row left turning on the terminal."""

from __future__ import annotations

import io
import json
import os
import subprocess

import pytest
from rich.console import Console

from orchestra.cli.render.live import Live
from orchestra.cli.render.progress import JsonLines, Plain, Quiet

STACK = """
services:
  a: &service {image: "rootfs:/", command: [sh, -c, "echo here"]}
  b: *service
  c: *service
  d: *service
  e: *service
"""


def acted(verb, phase, name="s-web-1"):
    return {"kind": "ActionEvent", "verb": verb, "phase": phase, "resource": f"container/{name}"}


def row(state, name="s-web-1"):
    return {"name": name, "service": "web", "state": state, "health": "none"}


def test_what_was_starting_when_the_result_came_is_said_to_have_started(capfd):
    progress = Plain()
    progress.hear(acted("start", "started"))
    progress.settle([row("running"), row("running", "s-db-1")])
    assert capfd.readouterr().err.splitlines() == [
        " Container s-web-1  Starting",
        " Container s-web-1  Started",
        " Container s-db-1  Running",
    ]


def test_what_has_not_started_is_not_said_to_have(capfd):
    progress = Plain()
    progress.hear(acted("start", "failed"))
    progress.hear(acted("start", "started", "s-db-1"))
    progress.settle([row("created"), row("created", "s-db-1")])
    assert capfd.readouterr().err.splitlines() == [" Container s-web-1  Error", " Container s-db-1  Starting"]


def test_pulling_is_not_shown_when_that_is_asked_for(capfd):
    progress = Plain()
    progress.hides_images = True
    progress.hear({**acted("pull", "started"), "resource": "image/app"})
    progress.hear(acted("create", "done"))
    assert capfd.readouterr().err.splitlines() == [" Container s-web-1  Created"]


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


PULLED = {"kind": "PullEvent", "resource": "image/app", "fetched": 1_500_000, "total": 12_000_000}


def test_bytes_of_a_pull_are_shown_live_until_it_is_done(capfd):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    with Live(color=False, console=console) as live:
        live.hear({**acted("pull", "started"), "resource": "image/app"})
        live.hear(PULLED)
        live.hear(acted("create", "started"))
        assert "Image app" in screen.getvalue()
        assert "Pulling 1.5MB / 12MB" in screen.getvalue()
        live.hear({**acted("pull", "done"), "resource": "image/app"})
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
