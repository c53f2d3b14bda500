"""Whatever of Orchestra is killed: no container restarts, no acknowledged entry is lost, the logs are complete."""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from orchestra.linux import unix_socket
from tests.examples.conftest import eventually, free_port, http

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.timeout(120),
]


def greeting(run: Path) -> dict[str, int]:
    """What the supervisor says of itself: its pid and the fork server's. OSError while nobody listens."""
    with unix_socket.connect(str(run / "control.sock")) as connection:
        return json.loads(connection.makefile().readline())


class Client(threading.Thread):
    """Posts twice a second, and remembers what was acknowledged. What is refused is posted again."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.acknowledged: list[str] = []
        self.refused = 0
        self.leave = threading.Event()

    def run(self) -> None:
        while not self.leave.wait(0.5):
            text = f"entry-{len(self.acknowledged) + 1}"
            try:
                http(self.port, "POST", "/entries", {"name": "client", "text": text})
                self.acknowledged.append(text)
            except OSError:
                self.refused += 1


def runs(orchestra):
    """What ``ps`` says of each container, with the process that its run began with."""
    directory = orchestra.home / "run/stacks" / orchestra.file.parent.name / "containers"
    return {
        row["Name"]: (row["ID"], row["State"], json.loads((directory / row["Name"] / "state.json").read_text()))
        for row in orchestra.containers().values()
    }


def test_killing_supervisor_fork_server_and_shim_stops_no_container(stack, tmp_path):
    port = free_port()
    book = stack("guestbook", GUESTBOOK_PORT=str(port), GUESTBOOK_DATA=str(tmp_path / "data"))
    book.run("up", "-d", "--wait")
    before = runs(book)
    run = tmp_path / "home/run/stacks/guestbook"
    client = Client(port)
    client.start()
    try:
        eventually(lambda: len(client.acknowledged) >= 2)

        supervisor = greeting(run)["supervisor"]
        os.kill(supervisor, signal.SIGKILL)
        assert eventually(lambda: runs(book) == before, 1)
        eventually(lambda: greeting(run)["supervisor"] != supervisor, 5)

        fork_server = greeting(run)["fork_server"]
        os.kill(fork_server, signal.SIGKILL)
        assert eventually(lambda: runs(book) == before, 1)
        eventually(lambda: greeting(run)["fork_server"] != fork_server, 5)

        shim_record = run / "containers/guestbook-web-1/shim.pid"
        first = shim_record.read_text()
        os.kill(int(json.loads(first)["pid"]), signal.SIGKILL)
        assert eventually(lambda: runs(book) == before, 1)
        eventually(lambda: shim_record.read_text() != first, 5)

        count = len(client.acknowledged)
        eventually(lambda: len(client.acknowledged) >= count + 3)
    finally:
        client.leave.set()
        client.join()
    assert runs(book) == before
    texts = [entry["text"] for entry in http(port, "GET", "/entries")]
    # What was stored though its acknowledgement came too late was posted again: none is lost, and their order is kept.
    assert list(dict.fromkeys(texts)) == client.acknowledged
    posts = [line for line in book.run("logs", "--no-log-prefix", "web").stdout.splitlines() if "POST /entries" in line]
    assert len(posts) == len(client.acknowledged) + client.refused


def test_a_killed_main_process_is_replaced_within_moments(stack, tmp_path):
    port = free_port()
    book = stack("guestbook", GUESTBOOK_PORT=str(port), GUESTBOOK_DATA=str(tmp_path / "data"))
    book.run("up", "-d", "--wait")
    http(port, "POST", "/entries", {"name": "Ada", "text": "one"})
    state = tmp_path / "home/run/stacks/guestbook/containers/guestbook-store-1/state.json"
    first = json.loads(state.read_text())["pid"]
    os.kill(first, signal.SIGKILL)
    eventually(lambda: json.loads(state.read_text())["pid"] != first, 5)
    eventually(lambda: http(port, "POST", "/entries", {"name": "Alan", "text": "two"}), 5)
    assert [entry["text"] for entry in http(port, "GET", "/entries")] == ["one", "two"]


def test_programs_of_a_supervisor_get_none_of_its_descriptors(write_stack):
    """The first one was forked, the second executed, with descriptors that it could only be given as inheritable."""
    stack = write_stack('services: {web: {image: "rootfs:/", command: sleep 1000, stop_signal: SIGKILL}}')
    stack.run("up", "-d")
    run = stack.home / "run/stacks" / stack.folder.name
    first = greeting(run)["supervisor"]
    assert inheritable(first) == []
    os.kill(first, signal.SIGKILL)
    stack.run("up", "-d")
    second = greeting(run)["supervisor"]
    assert second != first
    assert inheritable(second) == []


def inheritable(pid):
    """Descriptors of a process, other than the standard ones, without FD_CLOEXEC (proc(5), fdinfo)."""
    found = []
    for file in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            flags = next(line for line in file.read_text().splitlines() if line.startswith("flags:")).split()[1]
            if int(file.name) > 2 and not int(flags, 8) & os.O_CLOEXEC:
                found.append(int(file.name))
    return found
