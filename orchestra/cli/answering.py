"""Runs one command for another machine, which has started this one through ssh."""

from __future__ import annotations

import os

from orchestra import __version__
from orchestra.ssh.answer import answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def answer_caller(start: Callable[[Sequence[str]], int]) -> int:
    """start: runs a command line. The command gets no host of its own: it runs here."""
    os.environ.pop("ORCHESTRA_HOST", None)
    return answer(__version__, start)
