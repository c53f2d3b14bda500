"""Tables on terminals of 60, 80 and 100 columns: no word is broken and no line is left for the terminal to wrap."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.cli.doctor import render as render_doctor
from orchestra.cli.ps import render
from orchestra.cli.render.columns import render_columns
from orchestra.cli.render.narrow import wrap
from orchestra.cli.top import render as render_top
from orchestra.linux.process_table import ProcessRow
from orchestra.model.health import Health, HealthStatus
from orchestra.stacks.containers import ContainerRow
from orchestra.stacks.doctor import Fact, State
from orchestra.stacks.top import ContainerProcesses

NOW = 1000.0
AS_ASKED = {"quiet": False, "only_services": False, "format": "table", "no_trunc": False}
HEADER = ("NAME", "WHAT IT SAYS", "PORTS")
WORDS = st.lists(st.text("abc", min_size=1, max_size=12), max_size=8).map(" ".join)


def container(service: str, image: str, command: str, **fields: object) -> ContainerRow:
    name = f"guestbook-{service}-1"
    known = {"command": tuple(command.split()), "networks": ("n",), **fields}
    return ContainerRow(name, service, name, image, "", NOW - 100, **known)


CONTAINERS = (
    container(
        "web",
        "nginx:1.27-alpine",
        "/docker-entrypoint.sh nginx -g daemon off;",
        state="running",
        started_at=NOW - 50,
        health=Health(HealthStatus.HEALTHY),
        ports=("0.0.0.0:8080->80/tcp", "[::]:8080->80/tcp"),
    ),
    container(
        "database",
        "postgres:16",
        "docker-entrypoint.sh postgres",
        state="exited",
        exit_code=1,
        finished_at=NOW - 20,
        oom_killed=True,
    ),
)


def test_top_leaves_out_what_matters_least():
    row = ProcessRow(4711, 4710, 0, NOW, 1.0, "", "postgres: checkpointer process of the main cluster")
    found = [ContainerProcesses("database", 1, [row])]
    assert max(map(len, render_top(found, NOW).splitlines())) > 60
    text = render_top(found, NOW, 60)
    assert max(map(len, text.splitlines())) <= 60
    assert "4711" in text
    assert "Not shown in 60 columns: C, TTY" in text


@pytest.mark.parametrize("width", [60, 80])
def test_facts_of_the_machine_are_folded_below_each_other(width):
    words = "off; turned on for single interfaces while a network needs it"
    facts = [Fact("ip_forward", State.LIMITED, words, cost=words, remedy=words), Fact("pidfd", State.OK)]
    lines = render_doctor(facts, runs=True, color=False, columns=width).splitlines()
    assert max(map(len, lines)) <= width
    assert " ".join(" ".join(lines[:-2]).split()) == f"limited ip_forward {words} cost: {words} do: {words} ok pidfd"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_ps_fits(width):
    text = render(CONTAINERS, AS_ASKED, NOW, width)
    assert max(map(len, text.splitlines())) <= width
    for word in ("guestbook-database-1", "0.0.0.0:8080->80/tcp,", "[::]:8080->80/tcp", "(healthy)", "seconds"):
        assert word in text
    left_out = set(re.findall("[A-Z]{2,}", text.partition("Not shown in ")[2]))
    header = set(text.splitlines()[0].split())
    assert left_out <= {"COMMAND", "CREATED", "IMAGE", "SERVICE"}
    assert header | left_out == {"NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS"}


def test_ps_at_80_columns_is_this():
    assert (
        render(CONTAINERS, AS_ASKED, NOW, 80)
        == """\
NAME                   SERVICE    STATUS               PORTS
guestbook-web-1        web        Up 50 seconds        0.0.0.0:8080->80/tcp,
                                  (healthy)            [::]:8080->80/tcp
guestbook-database-1   database   Exited (1, out of
                                  memory) 20 seconds
                                  ago

Not shown in 80 columns: COMMAND, CREATED, IMAGE
"""
    )


def test_ps_where_no_table_fits_has_a_paragraph_for_each_container():
    text = render(CONTAINERS, AS_ASKED, NOW, 40)
    assert (
        text.partition("\n\n")[0]
        == """\
NAME      guestbook-web-1
IMAGE     nginx:1.27-alpine
COMMAND   "/docker-entrypoint.…"
SERVICE   web
CREATED   About a minute ago
STATUS    Up 50 seconds (healthy)
PORTS     0.0.0.0:8080->80/tcp,
          [::]:8080->80/tcp"""
    )


def test_a_file_and_no_trunc_have_a_line_for_each_container():
    whole = render(CONTAINERS, AS_ASKED, NOW)
    assert len(whole.splitlines()) == 3
    assert len(render(CONTAINERS, {**AS_ASKED, "no_trunc": True}, NOW, 60).splitlines()) == 3
    assert render(CONTAINERS, AS_ASKED, NOW, 500) == whole


@given(rows=st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=4), width=st.sampled_from([60, 80, 100]))
def test_any_table_keeps_its_words_and_its_width(rows, width):
    text = render_columns(HEADER, rows, width=width)
    assert max(map(len, text.splitlines())) <= width
    wanted = sorted(" ".join(cell for row in rows for cell in row).split())
    found = text.split()
    if rows:
        for word in set(wanted):
            assert found.count(word) >= wanted.count(word)


@given(text=WORDS, width=st.integers(1, 30))
def test_wrapping_breaks_no_word_and_loses_none(text, width):
    lines = wrap(text, width)
    assert " ".join(lines).split() == text.split()
    assert all(len(line) <= width or " " not in line for line in lines)


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("command", [("ps", "-a"), ("ls", "-a"), ("images",), ("image", "ls"), ("system", "df", "-v")])
def test_no_command_writes_more_than_the_terminal_is_wide(by_hand, width, command):
    for service in ("web", "a-service-with-a-long-name"):
        by_hand.create(service)
    by_hand.want(containers=[{"name": "s-web-1", "service": "web"}], config_files=["/one/compose.yaml", "/two.yaml"])
    text = on_a_terminal(width, "-p", "s", *command)
    assert "Traceback" not in text
    assert max(map(len, text.splitlines())) <= width


def on_a_terminal(width: int, *arguments: str) -> str:
    """What the command writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    with subprocess.Popen(
        [sys.executable, "-m", "orchestra", *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        text = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            text += part
    os.close(ours)
    assert process.returncode == 0, text
    return text.decode()
