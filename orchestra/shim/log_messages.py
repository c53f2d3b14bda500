"""Log lines in the formats of syslog (RFC 3164, RFC 5424) and the systemd journal. Pure."""

from __future__ import annotations

import os
import socket
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.container.settings import Receiver

PIECE = 16 << 10
"""A longer line is sent in pieces of this size, as Docker does: a datagram has a limit."""
_SEVERITIES = {1: 6, 2: 3}
"""Severities of standard output and standard error: info and err."""
_LOCAL = ("", "unix", "unixgram")


class Lines:
    """Cuts the output of one run into lines."""

    def __init__(self) -> None:
        self._begun: dict[int, bytes] = {}

    def feed(self, stream: int, data: bytes) -> list[bytes]:
        """The lines and pieces that this output completes."""
        *lines, rest = (self._begun.pop(stream, b"") + data).split(b"\n")
        found = [piece for line in lines for piece in (_pieces(line) or [b""])]
        *full, last = _pieces(rest) or [b""]
        self._begun[stream] = last
        return found + full

    def finish(self) -> list[tuple[int, bytes]]:
        """Unfinished lines, by stream."""
        left = [(stream, line) for stream, line in sorted(self._begun.items()) if line]
        self._begun.clear()
        return left


def _pieces(line: bytes) -> list[bytes]:
    return [line[begin : begin + PIECE] for begin in range(0, len(line), PIECE)]


def renderer(receiver: Receiver) -> Callable[[int, bytes, float], bytes]:
    """A line of a stream, written at a Unix time, as the receiver's message."""
    if receiver.kind == "journald":
        return lambda stream, line, at: _journal_entry(receiver, stream, line, at)
    host = socket.gethostname()
    tag, pid = receiver.tag, os.getpid()
    is_local = receiver.address.partition(":")[0] in _LOCAL

    def render(stream: int, line: bytes, at: float) -> bytes:
        priority = receiver.facility * 8 + _SEVERITIES[stream]
        match receiver.format:
            case "rfc5424" | "rfc5424micro":
                stamp = _stamp(at, micro=receiver.format == "rfc5424micro")
                head = f"<{priority}>1 {stamp} {host} {tag} {pid} {tag} - "
            case "rfc3164":
                head = f"<{priority}>{_old_stamp(at)} {host} {tag}[{pid}]: "
            case _ if is_local:
                head = f"<{priority}>{_old_stamp(at)} {tag}[{pid}]: "
            case _:
                head = f"<{priority}>{_stamp(at)} {host} {tag}[{pid}]: "
        return head.encode(errors="replace") + line + b"\n"

    return render


def _stamp(at: float, *, micro: bool = False) -> str:
    fraction = f".{int(at % 1 * 1_000_000):06d}" if micro else ""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}{fraction}Z"


def _old_stamp(at: float) -> str:
    """Local time, with the day padded by a space (RFC 3164, section 4.1.2)."""
    moment = time.localtime(at)
    return f"{time.strftime('%b', moment)} {moment.tm_mday:2d} {time.strftime('%H:%M:%S', moment)}"


def _journal_entry(receiver: Receiver, stream: int, line: bytes, at: float) -> bytes:
    """systemd.io/JOURNAL_NATIVE_PROTOCOL: values that may hold newlines have their length before them."""
    fields = {
        **receiver.fields,
        "PRIORITY": str(_SEVERITIES[stream]),
        "SYSLOG_TIMESTAMP": _stamp(at, micro=True),
        "SYSLOG_IDENTIFIER": receiver.tag,
        "CONTAINER_TAG": receiver.tag,
    }
    entries = [_journal_field(name, text.encode(errors="replace")) for name, text in fields.items()]
    return b"".join((*entries, _journal_field("MESSAGE", line)))


def _journal_field(name: str, value: bytes) -> bytes:
    return name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
