"""``orchestra commit``: create an image from a container's changes."""

from __future__ import annotations

from orchestra.stacks.commit import CommitOptions, commit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    print(commit(invocation.context, invocation.options(CommitOptions)))
    return 0
