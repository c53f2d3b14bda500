"""Parses a command line, runs the command, and returns the exit code."""

from __future__ import annotations

import sys

from orchestra.cli.execute import execute
from orchestra.cli.parse import parse
from orchestra.ssh import ANSWERING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def start(argv: Sequence[str]) -> int:
    """Run ``argv`` (without the program's name) and return the exit code."""
    if sys.stdout.encoding != "utf-8" or sys.stderr.encoding != "utf-8":
        from orchestra.cli.render.encoding import spell_what_cannot_be_encoded

        spell_what_cannot_be_encoded()
    if argv and argv[0] == "__complete":
        from orchestra.cli.complete.answer import answer

        return answer(argv[1:])
    if list(argv) == [ANSWERING]:
        from orchestra.cli.answering import answer_caller

        return answer_caller(start)
    invocation = parse(argv)
    if invocation is None:
        from orchestra.cli.typed import run_typed

        return run_typed(argv)
    return execute(invocation)
