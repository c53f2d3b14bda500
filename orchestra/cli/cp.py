"""``orchestra cp``: files and directories between containers and the host."""

from __future__ import annotations

import io
import sys

from orchestra.cli.archive_streams import refuse_terminal_input, refuse_terminal_output
from orchestra.cli.warnings import warn_of_damage
from orchestra.stacks.cp import CopyOptions, copy
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    output: list[io.BufferedWriter] = []

    def open_output() -> io.BufferedWriter:
        output.append(_open_output())
        return output[0]

    copied = copy(
        invocation.context,
        invocation.options(CopyOptions),
        stdin=_open_input,
        stdout=open_output,
        warn=lambda text: print(f"warning: {visible(text)}", file=sys.stderr),
        tell=lambda seen: warn_of_damage(seen.damage),
    )
    for stream in output:
        stream.flush()
    if invocation.shared["progress"] != "quiet":
        for each in copied:
            print(visible(f"Copied {each.source} to {each.destination}"), file=sys.stderr)
    return 0


def _open_input() -> io.BufferedReader:
    refuse_terminal_input("redirect the input, as in: tar c DIR | orchestra cp - ...")
    return io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False), 1 << 20)


def _open_output() -> io.BufferedWriter:
    refuse_terminal_output("redirect the output, as in: ... - | tar x")
    return io.BufferedWriter(io.FileIO(sys.stdout.fileno(), "w", closefd=False), 1 << 20)
