"""The dashboard on running containers: what happens to them is shown as it happens, and keys change them."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.examples.conftest import eventually, free_port, needs_containers
from tests.tui.driving import context_for, dashboard, drive, own_of

pytestmark = needs_containers

STACK = """
services:
  db:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "rm -f /tmp/ready; echo begun; exec sleep infinity"]
    healthcheck: {test: [CMD, test, -e, /tmp/ready], interval: 200ms, retries: 1000}
    stop_signal: SIGKILL
  web:
    image: "rootfs:BUSYBOX"
    depends_on: {db: {condition: service_healthy}}
    command: [sh, -c, "echo 'WARN slow'; exec sleep infinity"]
    ports: ["127.0.0.1:PORT:80"]
    stop_signal: SIGKILL
  bad: {image: "rootfs:BUSYBOX", command: [sh, -c, "echo no disk; exit 4"]}
"""


@pytest.fixture(scope="module")
def shop(write_shared_stack):
    """Coming up: web waits for db, which is healthy once /tmp/ready is there."""
    port = free_port()
    stack = write_shared_stack(STACK.replace("PORT", str(port)), "shop")
    stack.port = port
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with stack.start("up", "-d", **pipes) as coming_up:
        eventually(lambda: stack.states().get("db") == "running")
        yield stack
        coming_up.kill()


def supervisor_of(context):
    found = context.client("shop").find_processes()
    return found.supervisor.pid if found else None


def test_a_stack_is_watched_and_managed_through_the_death_of_its_supervisor(shop):
    context = context_for(shop)
    opened = []

    async def scenario():
        async with dashboard(context, own=own_of(context), opened=opened, size=(100, 30)) as screen:
            # What waits, and why
            await screen.choose("web")
            await screen.shows("1 waiting", "waits for shop-db-1 to be healthy", "exited (4)")
            await screen.press("3")
            await screen.shows("container shop-web-1: waits for shop-db-1 to be healthy", "| no disk", "exit code 4")

            # The supervisor dies: the next one tells what the state is, and what happens from then on
            pid = supervisor_of(context)
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: supervisor_of(context) not in (None, pid))
            heard = len(screen.app.board.events)
            shop.run("exec", "-T", "db", "touch", "/tmp/ready")
            await screen.until(lambda _: len(screen.app.board.events) > heard)
            await screen.press("1")
            await screen.shows("db        running       healthy", f"127.0.0.1:{shop.port}→80")
            await screen.until(lambda _: not screen.app.board.blocked("shop"))
            await screen.press("4")
            await screen.shows("container shop-db-1: healthy", "container shop-web-1: started")

            # Logs of all services
            await screen.press("1", "enter", "v")
            await screen.shows("WARN slow", "begun", "no disk")

            # What keys do
            await screen.press("1", "o")
            await screen.until(
                lambda _: opened == [f"http://127.0.0.1:{shop.port}"] or opened == [f"http://localhost:{shop.port}"]
            )
            await screen.press("s")
            await screen.press("y")
            await screen.shows("web stopped", "exited")
            await screen.press("a")
            await screen.shows("web started")
            await screen.until(lambda _: screen.app.table.chosen[1].state == "running")
            began = screen.app.table.chosen[1].containers[0].row.started_at
            await screen.press("r")
            await screen.press("y")
            await screen.until(lambda _: screen.app.table.chosen[1].containers[0].row.started_at > began)
            await screen.choose("bad")
            await screen.press("c")
            await screen.type("2")
            await screen.shows("bad has 2 containers")
            await screen.until(lambda _: len(screen.app.table.chosen[1].containers) == 2)
            assert "ui (scale bad=2)" in shop.run("history").stdout

            # The file is edited: a plan, and then exactly that
            shop.file.write_text(shop.file.read_text().replace("WARN slow", "WARN slower"))
            await screen.press("u")
            await screen.shows("Apply this plan?", "shop-web-1", "WARN slow")
            await screen.press("y")
            await screen.shows("shop is as its file says")
            await screen.choose("web")
            await screen.press("2")
            await screen.shows("WARN slower")

            # Down and up again
            await screen.press("1")
            shop.run("down", "-t", "0")
            await screen.until(lambda _: not screen.app.stack.containers)
            shop.run("up", "-d", "--no-deps", "web")
            await screen.until(lambda _: screen.app.stack.service("web").running == 1)
            await screen.press("4")
            await screen.until(lambda _: "removed" in screen.text and "asked for by" in screen.text)

    drive(scenario)
