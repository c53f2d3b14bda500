"""Messages on the control socket: JSON objects, one per line. Standard library only.

The supervisor greets; the client sends one request; events follow, after a snapshot if the client asked only for
events; one result or error ends the conversation.

    greeting   {"orchestra": version, "stack": name, "supervisor": pid, "fork_server": pid}
    request    {"op": ..., "version": the client's, "driver": the one it expects, "parallel": 0 for no limit,
                "request": one of ``orchestra.model.request``, "desired"?: Desired}
    event      {"event": an ``orchestra.model.event.Event``}
    result     {"result": one of ``orchestra.model.result`` or ``orchestra.model.observation``}
    error      {"error": {"message", "hint", "exit_code"}}
"""

from __future__ import annotations

import json

from orchestra import __version__
from orchestra.errors import OrchestraError
from orchestra.model import codec
from orchestra.model.request import operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.model.request import Question

    Message = dict[str, Any]

MAX_LINE = 64 << 20


def encode(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def encode_request(question: Question, desired: bytes | None = None, driver: str = "local", parallel: int = 0) -> bytes:
    """desired: JSON on one line, for the requests that need one. driver: that the client expects.

    parallel: how many actions may be under way until the answer; 0 for no limit.
    """
    content = {"version": __version__, "driver": driver, "parallel": parallel, "request": codec.encode(question)}
    message = encode({"op": operation(type(question)), **content})
    return message if desired is None else message[:-2] + b',"desired":' + desired + b"}\n"


def decode(line: bytes) -> Message:
    """Raises ValueError for anything but a JSON object."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("expected a JSON object")
    return message


def describe_error(error: OrchestraError) -> Message:
    return {"error": {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}}


def rebuild_error(description: Message) -> OrchestraError:
    error = OrchestraError(description["message"], hint=description["hint"])
    error.exit_code = description["exit_code"]
    return error
