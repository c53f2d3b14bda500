"""What builds remember: the tree that each step made, by its key, and the blob of each layer, by its diff id.

Below ``home.builds``. Records get their names when they are complete, after what they name. Each begins with a
line that has the digest of the rest: a damaged one is as good as none. Steps of one key are made one after the other,
by whichever builder comes first.

    steps/<key>.json   a tree, when it was made, and what the step was called
    blobs/<hex>.json   the descriptor of a layer
    locks/<xxx>        flock(2)ed while a step is made whose key begins with xxx; never deleted
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.build.trees import FileTree
from orchestra.driver.local.build.waiting import take_lock
from orchestra.driver.local.image.content.parts import chain_ids
from orchestra.driver.local.image.failure import file_errors
from orchestra.linux import private_files
from orchestra.record import Record, fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestra.home import Home


class Made(Record):
    """What a step has made. created: Unix time. name: its text, for display. grew: whether it added a layer.

    same_as: another key of it, by the content of what was copied from other stages; empty if there is none. size: of
    the layer's directory, in bytes; 0 if it is not known.
    """

    tree: FileTree
    created: float
    name: str
    grew: bool
    same_as: str = ""
    size: int = 0


class StepRecords:
    def __init__(self, home: Home) -> None:
        self._directory = f"{home.builds}/steps"
        self._locks = f"{home.builds}/locks"

    def find(self, key: str) -> Made | None:
        found = load_record(self._path(key))
        if found is None:
            return None
        try:
            tree = found["tree"]
            return Made(**{**found, "tree": FileTree(tuple(tree["diff_ids"]), tree["base"])})
        except (KeyError, TypeError):
            return None

    def store(self, key: str, made: Made) -> None:
        with file_errors("the build cache"):
            private_files.make_directories(self._directory)
            content = {**fields(made), "tree": fields(made.tree)}
            store_record(self._path(key), content)

    def keys(self) -> list[str]:
        return [name.removesuffix(".json") for name in _list(self._directory) if name.endswith(".json")]

    def layers(self) -> set[str]:
        """The chain ids of all layers of the trees that are remembered."""
        found: set[str] = set()
        for made in filter(None, map(self.find, self.keys())):
            if made.tree.diff_ids:
                found.update(chain_ids(made.tree.diff_ids))
        return found

    def all(self) -> Iterator[tuple[str, float, Made]]:
        """Keys, when each was last used (Unix time), and what the step has made."""
        for key in self.keys():
            with contextlib.suppress(FileNotFoundError):
                used = os.stat(self._path(key)).st_mtime
                made = self.find(key)
                if made is not None:
                    yield key, used, made

    def remove(self, key: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(key))

    def touch(self, key: str) -> None:
        """Note that it was used."""
        with contextlib.suppress(OSError):
            os.utime(self._path(key))

    @contextlib.contextmanager
    def locked(self, key: str, wait: Callable[[], None], ending: Sequence[int]) -> Iterator[None]:
        """One builder makes this step. wait, ending: see ``take_lock``."""
        with file_errors("the build cache"):
            private_files.make_directories(self._locks)
            fd = os.open(f"{self._locks}/{key[:3]}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            take_lock(fd, fcntl.LOCK_EX, wait, ending)
            yield
        finally:
            os.close(fd)

    def _path(self, key: str) -> str:
        return f"{self._directory}/{key}.json"


class BlobRecords:
    def __init__(self, home: Home) -> None:
        self._directory = f"{home.builds}/blobs"

    def find(self, diff_id: str) -> dict[str, Any] | None:
        found = load_record(self._path(diff_id))
        return found if found is not None and {"mediaType", "digest", "size"} <= found.keys() else None

    def store(self, diff_id: str, descriptor: dict[str, Any]) -> None:
        with file_errors("the build cache"):
            private_files.make_directories(self._directory)
            # Another builder, which makes the same, may give the file its name first.
            with contextlib.suppress(FileNotFoundError):
                store_record(self._path(diff_id), descriptor)

    def _path(self, diff_id: str) -> str:
        return f"{self._directory}/{diff_id.removeprefix('sha256:')}.json"


def load_record(path: str) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as file:
            digest, _, text = file.read().partition(b"\n")
    except FileNotFoundError:
        return None
    if hashlib.sha256(text).hexdigest().encode() != digest:
        return None
    found: dict[str, Any] = json.loads(text)
    return found


def store_record(path: str, content: Mapping[str, Any]) -> None:
    text = json.dumps(content)
    private_files.store(path, f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}".encode())


def _list(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []
