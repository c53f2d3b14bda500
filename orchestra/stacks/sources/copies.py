"""Copies of fetched files, by their origin. Each copy is complete, and never changes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile

from orchestra.linux import private_files
from orchestra.linux.directory_lock import locked
from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Copies(Record):
    """directory: created when the first copy is kept."""

    directory: str

    def find(self, path: str) -> str | None:
        """The folder of a copy, None if there is none."""
        folder = f"{self.directory}/{path}"
        return folder if os.path.isdir(folder) else None

    def keep(self, path: str, fill: Callable[[str], None]) -> str:
        """The folder of a copy. If there is none yet, ``fill`` creates it under another name first."""
        folder = f"{self.directory}/{path}"
        if os.path.isdir(folder):
            return folder
        private_files.make_directories(os.path.dirname(folder))
        growing = tempfile.mkdtemp(prefix=".growing-", dir=self.directory)
        try:
            fill(growing)
            os.chmod(growing, 0o755)  # any user of a container may read it; the folders above stay private
            try:
                os.rename(growing, folder)
            except OSError:
                if not os.path.isdir(folder):  # else another command was faster
                    raise
        finally:
            shutil.rmtree(growing, ignore_errors=True)
        return folder

    def note_latest(self, reference: str, pinned: str) -> None:
        """Remember the latest meaning of ``reference``: ``pinned``, whose meaning never changes."""
        private_files.make_directories(f"{self.directory}/latest")
        with locked(f"{self.directory}/latest"):
            private_files.store(self._latest(reference), json.dumps(pinned).encode())

    def latest(self, reference: str) -> str:
        """The latest meaning of a reference; '' if it was never fetched."""
        try:
            with open(self._latest(reference), encoding="utf-8") as file:
                return str(json.load(file))
        except (OSError, ValueError):
            return ""

    def _latest(self, reference: str) -> str:
        return f"{self.directory}/latest/{short_digest(reference)}"


def short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
