"""``orchestra exec --driver``: run another program in a container of a cluster, on a terminal or on pipes."""

from __future__ import annotations

from orchestra.cli.cluster_rules import read_where
from orchestra.cli.streams import run_on_pipes, run_on_terminal
from orchestra.stacks.cluster.exec import find_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.cli.relay import Signals
    from orchestra.cluster.program import Program
    from orchestra.stacks.exec import ExecOptions

_HERE = 0
"""The user who may open the pipes again: the program is elsewhere, and cannot."""


def run_elsewhere(invocation: Invocation, options: ExecOptions) -> int:
    with find_place(invocation.context, read_where(invocation), options) as place:
        if invocation.values["detach"]:
            place.start_detached()
            return 0

        def execute(stdio: Sequence[int], _signals: Signals) -> Program:
            return place.execute(stdio)

        return run_on_terminal(execute) if options.terminal else run_on_pipes(execute, _HERE)
