"""``state``, ``list`` and ``ps``."""

from __future__ import annotations

import json
import os

from orchestra.command_line.read import Misused
from orchestra.oci_cli.container import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.oci_cli.arguments import Options
    from orchestra.oci_cli.context import Context

COLUMNS = {"ID": "id", "PID": "pid", "STATUS": "status", "BUNDLE": "bundle", "CREATED": "created", "OWNER": "owner"}
NARROWEST = 11
COMPACT = (",", ":")  # as runc prints them, for callers that search the text


def state_command(context: Context, _options: Options, words: list[str]) -> int:
    print(json.dumps(describe(context.container(words[0]).find(), words[0]), indent=2))
    return 0


def list_command(context: Context, options: Options, _words: list[str]) -> int:
    form = _format(options)
    states: list[dict[str, Any]] = []
    for name in context.names():
        try:
            states.append(describe(context.container(name).find(), name))
        except OSError as error:
            # A container that goes away meanwhile is skipped; one that cannot be read must not hide the others.
            context.report.debug(f"list: {error}")
    if options.flag("quiet"):
        print("".join(f"{state['id']}\n" for state in states), end="")
    elif form == "json":
        print(json.dumps(states, separators=COMPACT))
    else:
        rows = [list(COLUMNS), *([str(state[key]) for key in COLUMNS.values()] for state in states)]
        widths = [max(NARROWEST, *(len(row[column]) for row in rows)) for column in range(len(COLUMNS))]
        for row in rows:
            print(" ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())
    return 0


def ps_command(context: Context, options: Options, words: list[str]) -> int:
    form = _format(options)
    container = context.container(words[0])
    pids = container.processes(container.find())
    if form == "json":
        print(json.dumps(pids, separators=COMPACT))
        return 0
    reader, writer = os.pipe()
    arguments = ["ps", *(words[1:] or ["-ef"])]
    pid = os.posix_spawnp("ps", arguments, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
    os.close(writer)
    with open(reader, errors="surrogateescape") as output:
        lines = output.read().splitlines()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code or not lines:
        return code or 1
    header = lines[0].split()
    if "PID" not in header:
        raise Misused("ps: these options show no PID column")
    column = header.index("PID")
    chosen = {str(pid) for pid in pids}
    for line in (lines[0], *(line for line in lines[1:] if line.split()[column] in chosen)):
        print(line)
    return 0


def _format(options: Options) -> str:
    form = options.value("format") or "table"
    if form not in ("table", "json"):
        raise Misused(f"--format: expected table or json, not {form!r}")
    return form
