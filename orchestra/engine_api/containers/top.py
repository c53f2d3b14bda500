"""The processes of a container, as ps(1) shows them."""

from __future__ import annotations

import pwd
import re
import subprocess
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from orchestra.driver.local.usage import processes_of
from orchestra.engine_api.containers.look import need_running
from orchestra.engine_api.errors import ApiError, absent, bad_request
from orchestra.linux.process_table import load_processes

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestra.engine_api.exchange import Exchange
    from orchestra.engine_api.world import World
    from orchestra.linux.process_table import ProcessRow

    Table = tuple[list[str], list[list[str]]]

USUAL = "-ef"
COLUMNS = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
"""Of these options, which need no program."""
_RENAMED = re.compile(r"=.*=|(?:^|\s)(?!--)\S*=")
"""What could call another column PID, and so show processes of others."""


def top(world: World, exchange: Exchange) -> None:
    found = world.find(exchange.parameters["name"])
    options = exchange.request.query.get("ps_args") or USUAL
    pids = processes_of(found.home, found.container.name, need_running(found))
    titles, rows = (COLUMNS, list(map(_usual, load_processes(pids)))) if options == USUAL else _ask(options, pids)
    exchange.answer({"Titles": titles, "Processes": rows})


def parse_table(text: str, pids: Collection[int]) -> Table:
    """The columns of a table with titles, and the rows of these processes. The last column may have spaces.

    Raises ValueError if there are no titles, or none is PID.
    """
    head, *lines = text.splitlines() or [""]
    titles = head.split()
    if any(title.isdecimal() for title in titles):
        raise ValueError("the first line has no titles")
    place = titles.index("PID")
    rows = [line.split(None, len(titles) - 1) for line in lines]
    return titles, [row for row in rows if len(row) > place and row[place].isdecimal() and int(row[place]) in pids]


def _ask(options: str, pids: Collection[int]) -> Table:
    """Raises ApiError."""
    words = options.split()
    # As Docker does it: some options, such as those that sort, cannot be combined with -q.
    done = _run([*words, "-q", ",".join(map(str, pids))])
    if done.returncode and done.stderr:
        if _RENAMED.search(options):
            raise bad_request("ps: columns cannot be renamed with these options")
        done = _run(words)
    if done.returncode and done.stderr:
        raise ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, f"ps: {done.stderr.strip().splitlines()[0]}")
    try:
        return parse_table(done.stdout, pids)
    except ValueError:
        message = "Couldn't find PID field in ps output"  # as Docker says it
        raise ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, message) from None


def _run(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Raises ApiError."""
    try:
        return subprocess.run(
            ["ps", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise absent(f"the program ps is not installed; {USUAL} works without it") from None
    except ValueError as error:  # a null byte
        raise bad_request(f"ps: {error}") from error


def _usual(row: ProcessRow) -> list[str]:
    started = time.strftime("%H:%M", time.localtime(row.started_at))
    processor = time.strftime("%H:%M:%S", time.gmtime(row.processor))
    return [_name(row.uid), str(row.pid), str(row.parent), "0", started, row.terminal or "?", processor, row.command]


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
