"""Messages on the control socket: JSON objects, one per line. Standard library only.

The supervisor greets; the client sends one request; events follow; one result or error ends the conversation.

    greeting   {"orchestra": version, "stack": name, "supervisor": pid, "fork_server": pid}
    request    {"op": ..., "version": the client's, ...}, see ``orchestra.control.commands`` for each
    event      {"event": an encoded ``orchestra.model.event.Event``}
    result     {"result": {...}}
    error      {"error": {"message", "hint", "exit_code"}}
"""

from __future__ import annotations

import json

from orchestra.errors import OrchestraError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Message = dict[str, Any]

MAX_LINE = 64 << 20


def encode(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def encode_with(message: Message, key: str, value: bytes) -> bytes:
    """``message`` with ``value``, which is JSON on one line already, under ``key``; ``message`` is not empty."""
    return encode(message)[:-2] + b',"' + key.encode() + b'":' + value + b"}\n"


def decode(line: bytes) -> Message:
    """Raises ValueError for anything but a JSON object."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a JSON object is expected")
    return message


def describe_error(error: OrchestraError) -> Message:
    return {"error": {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}}


def rebuild_error(description: Message) -> OrchestraError:
    error = OrchestraError(description["message"], hint=description["hint"])
    error.exit_code = description["exit_code"]
    return error
