"""The installed command on a real terminal: tmux shows what a person would see, and types the keys."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.examples.conftest import eventually, needs_containers

pytestmark = [
    *needs_containers,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux must be installed"),
]

STACK = """
services:
  web: {image: "rootfs:BUSYBOX", command: [sh, -c, "echo hello; exec sleep infinity"], stop_signal: SIGKILL}
  job: {image: "rootfs:BUSYBOX", command: ["true"]}
"""
EDITOR = '#!/bin/sh\nsed -i s/hello/goodbye/ "$1"\n'


@pytest.fixture(scope="module")
def shop(write_shared_stack):
    stack = write_shared_stack(STACK, "shop", {"edit": EDITOR})
    (stack.folder / "edit").chmod(0o755)
    stack.run("up", "-d")
    return stack


class Terminal:
    def __init__(self, socket: str) -> None:
        self._socket = socket

    def tmux(self, *words: str, **options) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *words], capture_output=True, text=True, check=False, **options
        )
        return done.stdout

    @property
    def text(self) -> str:
        return self.tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def shows(self, *texts: str) -> None:
        for text in texts:
            try:
                eventually(lambda text=text: text in self.text, 40)
            except AssertionError:
                pytest.fail(f"{text!r} is not shown:\n{self.text}")

    @property
    def process(self) -> int:
        return int(self.tmux("display-message", "-p", "#{pane_pid}"))


@contextmanager
def terminal(stack, path, width, height, *words, **environment):
    """The command in a terminal of its own. When it ends, its exit code is shown."""
    shown = Terminal(f"{path}/{len(os.listdir(path))}")
    command = " ".join([sys.executable, "-m", "orchestra", "ui", *words])
    own = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "EDITOR": f"{stack.folder}/edit", **environment}
    unwanted = ("COLUMNS", "LINES", "NO_COLOR")
    inherited = {name: value for name, value in stack.environment.items() if name not in unwanted}
    shown.tmux(
        *("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height)),
        f"{command}; echo ended with $?; exec cat",
        env=inherited | own,
        cwd=stack.folder,
    )
    try:
        yield shown
    finally:
        shown.tmux("kill-server")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 20)])
def test_it_fits_the_terminal_and_ends_as_it_began(shop, tmp_path, width, height):
    with terminal(shop, tmp_path, width, height) as shown:
        columns = ("SERVICE", "MEM 10s") if width == 120 else ("SERVICE",)
        shown.shows("1 Services", *columns, "▾ shop", "running", "q quit")
        lines = shown.text.splitlines()
        assert (len(lines), lines[-1].rstrip().endswith("q quit")) == (height, True)
        assert ("MEM 10s" in lines[1]) == (width == 120)
        shown.press("Down", "Down", "Enter")
        shown.shows("web  all levels  following", "hello")
        shown.press("3")
        shown.shows("What up would do")
        shown.press("q")
        shown.shows("ended with 0")
        assert "Services" not in shown.text  # what was there before is shown again


def test_a_shell_and_an_editor_get_the_terminal(shop, tmp_path):
    with terminal(shop, tmp_path, 80, 24) as shown:
        shown.shows("▾ shop", "running")
        shown.press("Down", "Down", "x")
        shown.shows("/ #")
        shown.press("echo in $(hostname), $(tty)", "Enter")
        shown.shows("in shop-web-1, /dev/")
        shown.press("C-c", "C-d")
        shown.shows("▾ shop")
        shown.press("c")
        shown.shows("How many containers")
        shown.press("BSpace", "1", "2", "BSpace", "BSpace", "4", "Left", "3", "End", "z", "Enter")  # at once
        shown.shows("'34z' is no number of containers")
        shown.press("e")
        shown.shows("Apply this plan?", "goodbye")
        shown.press("y")
        shown.shows("shop is as its file says")
        shown.press("2")
        shown.shows("goodbye")
        shown.press("C-c")
        shown.shows("ended with 0")


def test_a_signal_and_the_loss_of_the_terminal_end_it(shop, tmp_path):
    with terminal(shop, tmp_path, 80, 24, "shop") as shown:
        shown.shows("▾ shop", "running")
        (pid,) = children(shown.process)
        os.kill(pid, signal.SIGTERM)
        shown.shows("ended with 143")
    with terminal(shop, tmp_path, 80, 24) as shown:
        shown.shows("▾ shop", "running")
        (pid,) = children(shown.process)
        shown.press("2")
        shown.shows("all services")
    eventually(lambda: not os.path.exists(f"/proc/{pid}"))


def test_a_terminal_without_colours_shows_the_same(shop, tmp_path):
    with terminal(shop, tmp_path, 80, 24, NO_COLOR="1") as shown:
        shown.shows("▾ shop", "web")
        shown.press("Down", "Down")
        shown.shows("shop-web-1")
        colored = shown.tmux("capture-pane", "-p", "-e")
        assert "\033[7m" in colored  # the chosen line
        assert "\033[32m" not in colored


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [*map(int, file.read().split())]


def test_it_asks_for_a_terminal_and_for_what_exists(shop):
    assert "the dashboard needs a terminal" in shop.run("ui", code=1).stderr


def test_without_the_extra_it_says_how_to_install_it(shop):
    program = (
        "import sys; sys.modules['textual'] = None; from orchestra.__main__ import main; sys.argv[1:] = ['ui']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=shop.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "pip install 'orchestra[tui]'" in done.stderr
    assert "Traceback" not in done.stderr
