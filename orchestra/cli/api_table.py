"""The command that serves Docker's Engine API, as a row of the command table."""

from __future__ import annotations

from orchestra.cli.syntax import Command
from orchestra.command_line.option import FLAG, LIST, NUMBER, TEXT, Option

API = Command(
    "api",
    "api",
    "Serve Docker's Engine API on a socket",
    (
        Option("socket", ("--socket",), TEXT, "Path of the socket (default: docker.sock in the home)", metavar="PATH"),
        Option("idle", ("--idle",), NUMBER, "End after so many seconds without a client", metavar="SECONDS"),
        Option("read_only", ("--read-only",), FLAG, "Refuse everything that changes something"),
        Option("stacks", ("--stack",), LIST, "Show only this stack; repeat for several", metavar="NAME"),
    ),
)
