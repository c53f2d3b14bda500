"""Log lines as Docker Compose shows them: the container's name before each one, in the colour of its service."""

from __future__ import annotations

import sys
from typing import assert_never

from orchestra.model.log import Ended, Missed, Written
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Protocol

    from orchestra.model.log import Happening, Line
    from orchestra.model.observed import Container

    class Output(Protocol):
        def write(self, data: bytes, /) -> object: ...

        def flush(self) -> None: ...


COLORS = ("36", "33", "32", "35", "34", "36;1", "33;1", "32;1", "35;1", "34;1")
"""Cyan, yellow, green, magenta, blue; then the same, bright."""


class LogPrinter:
    """services: in the order of their colours.

    outputs: where lines of standard output and error go; without them, all go to standard output.
    """

    def __init__(
        self,
        stack: str,
        services: Sequence[str],
        *,
        color: bool = False,
        prefix: bool = True,
        timestamps: bool = False,
        outputs: tuple[Output, Output] | None = None,
    ) -> None:
        self._stack = stack
        self._services = list(services)
        self._color = color
        self._prefix = prefix
        self._timestamps = timestamps
        self._out: Output
        self._err: Output
        self._out, self._err = outputs or (sys.stdout.buffer, sys.stdout.buffer)
        self._last = self._out
        self._width = 0
        self._heads: dict[str, bytes] = {}

    def expect(self, *containers: Container) -> None:
        """Announce names: the column is as wide as the longest known name."""
        self.expect_names(*(short_name(self._stack, c.name, c.service, c.index) for c in containers))

    def expect_names(self, *names: str) -> None:
        width = max(map(len, names), default=0)
        if width > self._width:
            self._width = width
            self._heads.clear()

    def write(self, container: Container, line: Line) -> None:
        output = self._err if line.stream == b"stderr" else self._out
        if output is not self._last:
            self._last.flush()  # keeps lines in order if both streams are one terminal
            self._last = output
        head = self._head(container) if self._prefix else b""
        stamp = line.stamp + b" " if self._timestamps else b""
        output.write(b"%s%s%s\n" % (head, stamp, line.text))

    def say(self, container: Container, text: str) -> None:
        """A sentence about a container: ``web-1 exited with code 0``."""
        name = short_name(self._stack, container.name, container.service, container.index)
        self.flush()
        self._last = self._out
        self._last.write(self._paint(container.service, f"{name} {text}") + b"\n")

    def write_hook(self, name: str, service: str, output: str) -> None:
        """What hooks of a container have written: ``web-1 ->  | a line``."""
        head = f"{visible(name.removeprefix(f'{self._stack}-'))} ->  | " if self._prefix else ""
        self.flush()
        self._last = self._out
        for line in output.splitlines():
            self._last.write(self._paint(service, head) + line.encode() + b"\n")
        self.flush()

    def say_missed(self, container: Container, lines: int) -> None:
        count = "1 line" if lines == 1 else f"{lines} lines"
        self.say(container, f"lost {count} here: the log was rotated faster than it was shown")

    def show(self, happenings: Iterable[Happening]) -> None:
        for happened in happenings:
            match happened:
                case Written(container, line):
                    self.write(container, line)
                case Missed(container, gap):
                    self.say_missed(container, gap.lines)
                case Ended(container):
                    self.say(container, describe_end(happened))
                case _:
                    assert_never(happened)
        self.flush()

    def flush(self) -> None:
        self._last.flush()

    def _head(self, container: Container) -> bytes:
        head = self._heads.get(container.name)
        if head is None:
            self.expect(container)
            name = short_name(self._stack, container.name, container.service, container.index)
            head = self._heads[container.name] = self._paint(container.service, f"{name:<{self._width}}  | ")
        return head

    def _paint(self, service: str, text: str) -> bytes:
        if not self._color:
            return text.encode()
        if service not in self._services:
            self._services.append(service)
        code = COLORS[self._services.index(service) % len(COLORS)]
        return f"\033[{code}m{text}\033[0m".encode()


def short_name(stack: str, name: str, service: str, index: int) -> str:
    """``web-1``; a name that the file sets is left as it is."""
    return visible(f"{service}-{index}" if name == f"{stack}-{service}-{index}" else name)


def describe_end(ended: Ended) -> str:
    """``exited with code 137, out of memory (restarting)``"""
    code, reason = ended.exited.exit_code, ", out of memory" if ended.exited.oom_killed else ""
    again = " (restarting)" if ended.runs_again else ""
    return f"exited with code {'unknown' if code is None else code}{reason}{again}"
