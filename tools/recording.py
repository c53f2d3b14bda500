"""What the commands of README.md print: its file is written to a folder, its commands are run on a terminal, for real.

    python -m tools.recording

puts what they print below them in the page, and shows the same on the front page of the site. It needs root, like every
command that makes containers.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[1] / "README.md"
FRONT_PAGE = PAGE.parent / "docs" / "index.md"
COLUMNS, LINES = 160, 40

_FILE = re.compile(r"^```yaml title=\"(?P<name>[^\"]+)\"\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_CONSOLE = re.compile(r"^```console\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_REDRAWN = re.compile(r".*\x1b\[2K", re.DOTALL)
"""Progress on a terminal is drawn again and again: all but the last time is wiped out."""
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def record(page: str, home: Path, folder: Path, pause: float = 0) -> str:
    """The page with what the commands of its console blocks print now, in their order.

    home: for ``ORCHESTRA_HOME``; folder: an empty one, whose name becomes that of the stack; pause: seconds before each
    command, as somebody who types would take them.
    """
    for found in _FILE.finditer(page):
        (folder / found["name"]).write_text(found["text"], encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
    path = f"{Path(sys.executable).parent}:{environment.get('PATH', os.defpath)}"
    environment |= {"ORCHESTRA_HOME": str(home), "PATH": path, "TERM": "xterm"}

    def run(block: re.Match[str]) -> str:
        commands = [line for line in block["text"].splitlines() if line.startswith("$ ")]
        parts = []
        for command in commands:
            time.sleep(pause)
            parts.append(f"{command}\n{run_on_terminal(command[2:], folder, environment)}")
        return f"```console\n{chr(10).join(parts)}```"

    return _CONSOLE.sub(run, page)


def blocks(page: str) -> str:
    """The file and the terminal of a page."""
    return page[page.index("```yaml title") : page.index("```\n", page.index("```console\n") + 1)]


def run_on_terminal(command: str, folder: Path, environment: dict[str, str]) -> str:
    """What is to be seen on the terminal in the end, without colours."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    with subprocess.Popen(
        ["sh", "-c", command], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ):
        os.close(theirs)
        raw = b"".join(_read(ours)).decode()
    os.close(ours)
    shown = _CONTROL.sub("", _REDRAWN.sub("", raw).replace("\r\n", "\n"))
    return "".join(f"{line.rstrip()}\n" for line in shown.splitlines())


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # EIO: nobody has the other side open any more
            return
        if not data:
            return
        yield data


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as directory:
        home, folder = Path(directory) / "home", Path(directory) / "hello"
        folder.mkdir()
        try:
            recorded = record(page, home, folder, pause=2)
        finally:
            environment = {**os.environ, "ORCHESTRA_HOME": str(home)}
            command = [sys.executable, "-m", "orchestra", "down", "--volumes"]
            subprocess.run(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL, check=False)
    PAGE.write_text(recorded, encoding="utf-8")
    front = FRONT_PAGE.read_text(encoding="utf-8")
    FRONT_PAGE.write_text(front.replace(blocks(front), blocks(recorded)), encoding="utf-8")


if __name__ == "__main__":
    main()
