"""Programs in containers of pods, over WebSocket: https://kubernetes.io/docs/reference/using-api/api-concepts/.

The first byte of each message says its channel: ``remotecommand`` in the API server's sources.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from orchestra.cluster.handover import taken_over
from orchestra.cluster.program import ERROR, OUTPUT
from orchestra.errors import FatalError, TemporaryError, UserError
from orchestra.websocket import BINARY, CLOSE, CONTINUED, PING, PONG, TEXT, Decoder, Malformed, render_frame

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestra.cluster.http import Http

_STATUS, _RESIZE, _CLOSE = 3, 4, 255
_CLOSING, _OLDER = "v5.channel.k8s.io", "v4.channel.k8s.io"
"""The older protocol, of clusters before 1.30, cannot say that input has ended."""


class KubernetesSession:
    """A ``program.Session``."""

    def __init__(self, http: Http, namespace: str, pod: str, command: Sequence[str], *, terminal: bool) -> None:
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/exec"
        flags = {"stdin": "true", "stdout": "true", "stderr": "false" if terminal else "true"}
        headers = {
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Protocol": f"{_CLOSING}, {_OLDER}",
        }
        query = {**flags, "tty": "true" if terminal else "false", "command": list(command)}
        self._resources = contextlib.ExitStack()
        response = self._resources.enter_context(http.upgrade(path, query, headers))
        self._closes_input = response.headers.get("Sec-WebSocket-Protocol") == _CLOSING
        self.connection, self.first = taken_over(response)
        self._decoder = Decoder(masked=False)
        self._channel = 0
        self._answers = b""
        self._status = bytearray()

    def received(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        try:
            for kind, content in self._decoder.feed(data):
                if kind == PING:
                    self._answers += _frame(PONG, content)
                elif kind == CLOSE:
                    self._answers += _frame(CLOSE, content[:2])
                elif kind in (TEXT, BINARY, CONTINUED) and content:
                    if kind != CONTINUED:
                        self._channel, content = content[0], content[1:]
                    if self._channel in (OUTPUT, ERROR):
                        yield self._channel, content
                    elif self._channel == _STATUS:
                        self._status += content
        except Malformed as error:
            raise FatalError("the cluster has sent what is no frame of WebSocket") from error

    def answers(self) -> bytes:
        answers, self._answers = self._answers, b""
        return answers

    def rendered(self, data: bytes) -> bytes:
        return _message(0, data)

    def ended(self) -> bytes:
        return _message(_CLOSE, b"\0") if self._closes_input else b""

    def resized(self, rows: int, columns: int) -> bytes:
        return _message(_RESIZE, json.dumps({"Width": columns, "Height": rows}).encode())

    def exit_code(self) -> int:
        if not self._status:
            raise TemporaryError("the connection to the program broke off")
        return exit_code(json.loads(self._status))

    def close(self) -> None:
        self._resources.close()


def exit_code(status: dict[str, Any]) -> int:
    """Raises UserError if the program was not run."""
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    failure = UserError(str(status.get("message") or "the program was not run"))
    failure.exit_code = 126
    raise failure


def _message(channel: int, data: bytes) -> bytes:
    return _frame(BINARY, bytes((channel,)) + data)


def _frame(kind: int, content: bytes) -> bytes:
    return render_frame(kind, content, os.urandom(4))
