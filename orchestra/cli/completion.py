"""``orchestra completion``: the script that makes a shell complete the words of ``orchestra``."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    sys.stdout.write(read_script(invocation.values["shell"]))
    return 0


def read_script(shell: str) -> str:
    with open(f"{os.path.dirname(__file__)}/complete/orchestra.{shell}", encoding="utf-8") as file:
        return file.read()
