"""The mounts this process sees: /proc/self/mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

from orchestra.named_tuple import NamedTuple
from orchestra.regex import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OCTAL = regex(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """root: the part of the file system that is mounted; kind: file system type; options: of the file system."""

    root: str
    point: str
    kind: str
    source: str
    options: tuple[str, ...]


def parse_mountinfo(lines: Iterable[str]) -> Iterator[Mount]:
    for line in lines:
        fields = line.split()
        dash = fields.index("-", 6)
        root, point, source = (_unescape(fields[index]) for index in (3, 4, dash + 2))
        yield Mount(root, point, fields[dash + 1], source, tuple(fields[dash + 3].split(",")))


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text) if "\\" in text else text


def load_mounts(path: str = "/proc/self/mountinfo") -> list[Mount]:
    with open(path, errors="surrogateescape") as file:
        return list(parse_mountinfo(file))
