"""What a user without root does not see: root's stacks are kept in a home of their own."""

from __future__ import annotations

import os
import sys

from orchestra.home import find_home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def tell_of_root(invocation: Invocation) -> None:
    """Say on standard error, to a user for whom nothing was found, how to see the stacks of root if root has a home."""
    if os.geteuid() == 0 or invocation.driver != "local" or os.environ.get("ORCHESTRA_HOME"):
        return
    system = find_home({}, 0)
    if os.path.exists(system.data) or os.path.exists(system.run):
        print(
            f"note: only stacks of user {os.geteuid()} are shown; sudo orchestra {invocation.command} shows root's",
            file=sys.stderr,
        )
