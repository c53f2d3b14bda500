"""``orchestra import``: print what another engine runs as a Compose file."""

from __future__ import annotations

import os
import sys

from orchestra.cli.warnings import warn_of_notes
from orchestra.errors import UserError
from orchestra.stacks.import_files import import_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    result = import_files(invocation.values["files"])
    warn_of_notes(invocation, result.losses)
    output = invocation.values["output"]
    if output is None:
        # Other programs read this as a Compose file, which is UTF-8 in every locale.
        sys.stdout.buffer.write(result.text.encode())
        return 0
    try:
        with open(output, "x", encoding="utf-8", opener=_for_the_owner) as file:
            file.write(result.text)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror}") from error
    return 0


def _for_the_owner(path: str, flags: int) -> int:
    """Variables may hold secrets."""
    return os.open(path, flags, 0o600)
