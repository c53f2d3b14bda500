"""The messages on the sockets of fork server and shim: one JSON object per line, with descriptors beside it.

An answer that holds ``error`` is an OSError: {"errno", "call", "path", "hint"}.
"""

from __future__ import annotations

import json
from errno import EPROTO

from orchestra.linux import unix_socket
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

    Message = dict[str, Any]

MAX_LINE = 4 << 20
PING = "ping"
"""A request to a fork server that checks whether it is alive."""
NAMES = "names"
"""A request to a fork server to fork the stack's resolver: see ``orchestra.names.process``."""


def encode(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes | bytearray) -> Message:
    message = json.loads(line.decode())
    if not isinstance(message, dict):
        raise SystemCallError(EPROTO, "decode", "", "a JSON object is expected")
    return message


def send(connection: socket.socket, message: Message, fds: tuple[int, ...] | list[int] = ()) -> None:
    unix_socket.send(connection, encode(message), fds)


def receive(connection: socket.socket) -> tuple[Message, list[int]]:
    """One message and its descriptors. ConnectionResetError when the other side closed instead of answering."""
    line = b""
    fds: list[int] = []
    while not line.endswith(b"\n"):
        data, more = unix_socket.receive(connection, 65536)
        fds += more
        line += data
        if not data:
            raise ConnectionResetError("connection closed without an answer")
        if len(line) > MAX_LINE:
            raise SystemCallError(EPROTO, "receive", "", "message too long")
    return decode(line), fds


def describe_error(error: OSError) -> Message:
    return {
        "errno": error.errno or EPROTO,
        "call": getattr(error, "call", ""),
        "path": "" if error.filename is None else str(error.filename),
        "hint": getattr(error, "hint", ""),
    }


def describe_failure(error: BaseException) -> str:
    """A bug of ours, with its traceback. No source lines: the files at those paths may belong to a container."""
    places = []
    at = error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        places.append(f"{code.co_filename}:{at.tb_lineno} {code.co_name}")
        at = at.tb_next
    return f"{type(error).__name__}: {error} ({', '.join(places)})"


def rebuild_error(description: Message) -> SystemCallError:
    call, path = description.get("call") or "container", description.get("path") or ""
    return SystemCallError(description["errno"], call, path, description.get("hint") or "")
