"""The command that serves the page in a browser, as a row of the command table."""

from __future__ import annotations

from orchestra.cli.syntax import Command
from orchestra.command_line.option import FLAG, TEXT, Option

WEB = Command(
    "web",
    "web",
    "Show the stack on a page in the browser",
    (
        Option("listen", ("--listen",), TEXT, "Address and port of the page", "127.0.0.1:7070", metavar="ADDRESS:PORT"),
        Option("read_only", ("--read-only",), FLAG, "Refuse everything that changes something"),
        Option("allow_remote", ("--allow-remote",), FLAG, "Allow an address that other machines can reach"),
        Option("url", ("--url",), TEXT, "Address under which a proxy serves the page", metavar="URL"),
    ),
)
