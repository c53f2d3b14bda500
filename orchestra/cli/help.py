"""``orchestra help``: print the same as ``--help``."""

from __future__ import annotations

from orchestra.cli import table
from orchestra.cli.usage import no_such_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    """Raises UsageError if the words are not the name of a command."""
    words = invocation.values["words"]
    if words and words[0] not in table.GROUPS and table.find_command(words[0]) is None:
        raise no_such_command(words[0])
    if len(words) > 1 and table.find_command(" ".join(words)) is None:
        raise no_such_command(" ".join(words))
    from orchestra.cli.typed import run_typed

    return run_typed([*words, "--help"])
