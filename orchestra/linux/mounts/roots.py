"""Which processes have a directory as their root, or an overlay that writes to it (proc_pid_mountinfo(5))."""

from __future__ import annotations

import contextlib
import os

from orchestra.linux import namespaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection


def processes_over(uppers: Collection[str]) -> dict[int, str]:
    """Pids in other mount namespaces, with the directory of each. uppers: absolute paths."""
    found: dict[int, str] = {}
    for pid in filter(str.isdecimal, os.listdir("/proc") if uppers else ()):
        with contextlib.suppress(OSError):  # it belongs to another user, or has ended meanwhile
            if not namespaces.is_ours("mount", int(pid)):
                root = _root_of(pid)
                found.update({int(pid): path for path in uppers if _is_over(pid, root, path)})
    return found


def _root_of(pid: str) -> bytes:
    """The line for what is mounted at its root; empty if there is none."""
    with open(f"/proc/{pid}/mountinfo", "rb") as file:
        return next((line for line in file if line.split(b" ", 5)[4] == b"/"), b"")


def _is_over(pid: str, root: bytes, upper: str) -> bool:
    if b" - overlay " in root:
        options = root.rstrip().rpartition(b" ")[2].split(b",")
        return b"upperdir=" + _escaped(upper) in options
    return os.path.isdir(upper) and os.path.samestat(os.stat(f"/proc/{pid}/root"), os.stat(upper))


def _escaped(path: str) -> bytes:
    """As the kernel writes it: blanks and backslashes in octal (seq_escape of overlayfs and of mount tables)."""
    return b"".join(b"\\%03o" % byte if byte in b" \t\n\\#" else bytes([byte]) for byte in os.fsencode(path))
