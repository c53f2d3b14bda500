"""What the side that asks sends: the command line, with the files and variables that it may use."""

from __future__ import annotations

import base64
import json

from orchestra.record import Record, fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Order(Record):
    """words: of the command line. directory: where it was given.

    files: contents by absolute path, None for one that does not exist; ``-`` is standard input. variables: those that
    the files and options use. display: variables about the terminal and the output. terminals: which of the streams
    0, 1 and 2 are terminals. reads: whether there is input at all. rows, columns: of the terminal.
    """

    words: tuple[str, ...]
    directory: str
    files: Mapping[str, bytes | None] = {}
    variables: Mapping[str, str] = {}
    display: Mapping[str, str] = {}
    terminals: tuple[int, ...] = ()
    reads: bool = True
    rows: int = 0
    columns: int = 0

    def __repr__(self) -> str:
        """Without contents and values, which may be secrets."""
        return f"Order({self.words!r}, {self.directory!r})"


def encode(order: Order) -> bytes:
    files = {
        path: None if content is None else base64.b64encode(content).decode() for path, content in order.files.items()
    }
    return json.dumps({**fields(order), "files": files}).encode()


def decode(text: bytes) -> Order:
    """Raises ValueError, KeyError or TypeError for what is no order."""
    values = json.loads(text)
    files = {
        path: None if content is None else base64.b64decode(content) for path, content in values.pop("files").items()
    }
    values["words"], values["terminals"] = tuple(values["words"]), tuple(values["terminals"])
    return Order(**values, files=files)
