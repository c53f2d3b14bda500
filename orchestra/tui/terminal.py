"""Programs that take the terminal over while the dashboard is suspended: a shell in a container, an editor."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestra.stacks.context import Context

SHELL = ("sh", "-c", "if command -v bash >/dev/null; then exec bash; else exec sh; fi")


def exec_command(context: Context, service: str, index: int | None) -> list[str]:
    """``orchestra exec`` of a shell. index: of the container; None for the lowest running one."""
    which = [] if index is None else ["--index", str(index)]
    return [*_orchestra(context), "exec", *which, service, *SHELL]


def edit_command(environment: Mapping[str, str], path: str) -> list[str]:
    """Raises UserError if the user's editor cannot be found."""
    from shutil import which

    words = shlex.split(environment.get("VISUAL") or environment.get("EDITOR") or "vi")
    if not words or which(words[0]) is None:
        raise UserError(f"there is no editor {words[0] if words else ''}", hint="set EDITOR to one")
    return [*words, path]


def run_on_terminal(command: Sequence[str], directory: str | None = None) -> int:
    """Its exit code. Ctrl-C is for the program alone."""
    with _ignoring_interrupts():
        return subprocess.call(command, cwd=directory)


def wait_for_enter(message: str) -> None:
    with _ignoring_interrupts():
        print(f"\n{message}: Enter goes on", flush=True)
        os.read(0, 1024)


def _orchestra(context: Context) -> list[str]:
    project = context.project
    words = [sys.executable, "-m", "orchestra", "--driver", context.driver]
    for option, values in (
        ("-f", project.files),
        ("--profile", project.profiles),
        ("--env-file", project.env_files),
        ("-p", (project.name,)),
        ("--project-directory", (project.directory,)),
    ):
        for value in values:
            words += [option, value] if value else []
    return words


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """By a function, which unlike SIG_IGN is not inherited by what is executed."""
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
