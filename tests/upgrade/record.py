"""Record the state of a running stack, as this version of Orchestra writes it, for later versions to read.

    python -m tests.upgrade.record NAME

Needs root. Do so before each release, and whenever the format of a file changes on purpose.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.upgrade.stack import NAME, write_stack

STATES = Path(__file__).parent / "states"
KEPT = ("data/stacks", "data/volumes", "run/stacks", "run/networks")
PLACES = {"home": "@HOME@", NAME: "@FOLDER@"}
"""Directories of the recording, and what their paths are in the files of an archive."""


def record(name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="orchestra-record-") as directory:
        base = Path(directory)
        write_stack(base / NAME)
        environment = {**os.environ, "ORCHESTRA_HOME": str(base / "home")}
        try:
            _run(environment, base / NAME, "up", "-d")
            archive(base, STATES / f"{name}.tar.xz")
        finally:
            _run(environment, base / NAME, "down", "-v", "-t", "0")


def _run(environment: dict[str, str], folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "orchestra", *arguments], env=environment, cwd=folder, check=True)


def archive(base: Path, target: Path) -> None:
    """The texts below a home, without logs."""
    with tarfile.open(target, "w:xz") as tar:
        for path in sorted(found for kept in KEPT for found in (base / "home" / kept).rglob("*") if found.is_file()):
            try:
                text = "" if path.suffix == ".log" else path.read_text()
            except UnicodeDecodeError:
                continue
            for place, word in PLACES.items():
                text = text.replace(str(base / place), word)
            member = tarfile.TarInfo(str(path.relative_to(base / "home")))
            content = text.encode()
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def restore(name: str, home: Path, folder: Path) -> None:
    """As if that version had run in this home, and the machine had gone down."""
    with tarfile.open(STATES / name) as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            text = file.read().decode().replace("@HOME@", str(home)).replace("@FOLDER@", str(folder))
            path = home / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


if __name__ == "__main__":
    record(sys.argv[1])
