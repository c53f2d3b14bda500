"""The menu of a foreground ``up``: what it says, what its keys mean, and that nothing of it stays on the terminal."""

from __future__ import annotations

import signal
import subprocess

import pytest

from orchestra.cli.menu import Menu
from orchestra.linux import tty
from orchestra.stacks.keys import Detach, OpenInBrowser, ToggleLogs, ToggleWatch
from orchestra.stacks.port import choose_web_address
from tests.examples.conftest import eventually, needs_containers
from tests.examples.terminals import Typed

SERVICES = ("web", "worker", "db")


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("d", [Detach()]),
        ("D", [Detach()]),
        ("wo", [ToggleWatch(), OpenInBrowser()]),
        ("x \r\n\t?", []),
        # Arrows and other keys that send several characters, with the letters of the menu among them.
        ("\033[D\033OD\033[1;5D\033[200~", []),
        ("ldb\r", [ToggleLogs("db")]),
        ("lweb\n", [ToggleLogs("web")]),
        ("lwo\r", [ToggleLogs("worker")]),
        ("lw\teb\r", [ToggleLogs("web")]),
        ("ld\t\r", [ToggleLogs("db")]),
        ("lx\177db\r", [ToggleLogs("db")]),
        ("lnobody\025db\r", [ToggleLogs("db")]),
        ("lw\r", []),
        ("lnobody\r", []),
        ("ldb\033d", [Detach()]),
        ("l\rd", [Detach()]),
    ],
)
def test_what_keys_ask_for(typed, keys):
    assert list(Menu(SERVICES).take(typed)) == keys


def test_the_line_fits_whatever_the_width():
    menu = Menu(SERVICES)
    assert menu.render(59) == "d Detach   w Enable Watch   o Open in Browser   l Logs"
    menu.watches = True
    assert menu.render(59) == "d Detach   w Disable Watch   o Open in Browser   l Logs"
    assert menu.render(40) == "d Detach   w Disable Watch"
    assert menu.render(5) == ""
    assert list(menu.take("lw")) == []
    assert menu.render(79) == "(web worker) Show or hide logs of: w"
    assert menu.render(10) == "logs of: w"
    assert list(menu.take("x")) == []
    assert menu.render(79) == "(no such service) Show or hide logs of: wx"


@pytest.mark.parametrize(
    ("rows", "address"),
    [
        ([], ""),
        ([("0.0.0.0:53", "53/udp")], ""),
        ([("0.0.0.0:5432", "5432/tcp")], "http://localhost:5432"),
        ([("0.0.0.0:5432", "5432/tcp"), ("127.0.0.1:8080", "80/tcp")], "http://localhost:8080"),
        ([("0.0.0.0:8443", "443/tcp")], "https://localhost:8443"),
        ([("10.1.2.3:80", "80/tcp")], "http://10.1.2.3:80"),
        ([("[::]:80", "80/tcp")], "http://localhost:80"),
    ],
)
def test_which_page_is_opened(rows, address):
    assert choose_web_address(rows) == address


STACK = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "trap 'exit 0' TERM; while :; do echo tick; sleep 0.2; done"]
    develop: {watch: [{path: ./src, target: /srv, action: sync}]}
  other: {image: "rootfs:BUSYBOX", command: [sh, -c, "while :; do echo noise; sleep 0.2; done"], stop_signal: SIGKILL}
"""
MENU = "d Detach   w Enable Watch   o Open in Browser   l Logs"


class TestOnATerminal:
    pytestmark = needs_containers

    def test_its_keys_work_below_the_logs_and_the_containers_stay(self, write_stack):
        stack = write_stack(STACK, files={"src/a": "a"})
        with Typed(stack, "up", columns=60) as up:
            up.until(MENU)
            up.until("tick")
            up.type("w")
            up.until("w Disable Watch")
            up.until("Watch enabled")
            (stack.folder / "src/b").write_text("b")
            up.until('Syncing service "web" after 1 changes were detected')
            up.type("w")
            up.until("Watch disabled")
            up.until(MENU)
            up.type("o")
            up.until("nothing to open")
            up.type("loth\r")
            up.until("Logs of other are hidden")
            up.until("tick")
            up.until("tick")
            assert "noise" not in up.seen
            up.type("lother\r")
            up.until("Logs of other are shown")
            up.until("noise")
            # Each line of the logs stands where the menu was, and the menu is below it again.
            up.until(f"\r\033[J{MENU}")
            tty.set_size(up.master, tty.Size(24, 30))
            up.process.send_signal(signal.SIGWINCH)
            up.until("\r\033[Jd Detach   w Enable Watch")
            up.type("d")
            eventually(lambda: up.process.poll() is not None)
            assert up.process.returncode == 0
            assert up.is_as_before()
        assert stack.states() == {"web": "running", "other": "running"}
        assert stack.run("exec", "-T", "web", "ls", "/srv").stdout == "b\n"

    def test_ctrl_c_stops_as_without_it(self, write_stack):
        stack = write_stack(STACK)
        with Typed(stack, "up") as up:
            up.until(MENU)
            up.process.send_signal(signal.SIGINT)
            up.until("\r\033[JGracefully stopping...")
            eventually(lambda: up.process.poll() is not None)
            assert up.process.returncode == 130
            assert up.is_as_before()
        assert "Detach" not in up.seen

    def test_it_can_be_turned_off(self, write_stack):
        stack = write_stack(STACK)
        for environment, arguments in (({}, ("--menu=false",)), ({"COMPOSE_MENU": "false"}, ())):
            stack.environment |= environment
            with Typed(stack, "up", *arguments) as up:
                up.until("tick")
                up.until("tick")
                assert up.is_as_before()
        with Typed(stack, "up", "--menu") as up:  # the option wins over the variable
            up.until("d Detach")
            up.type("d")
            eventually(lambda: up.process.poll() is not None)
        with stack.start("up", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as piped:
            shown = [piped.stdout.readline() for _ in range(10)]
            piped.kill()
        assert not any("Detach" in line or "\033" in line for line in shown)
