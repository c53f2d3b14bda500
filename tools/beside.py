"""Runs the commands of a page of the documentation with Docker Compose and with Orchestra, and compares exit codes.

``python -m tools.beside docker compose`` prints what differs from the page's table; its arguments begin a command of
Docker Compose. Needs root, Docker, and the page's image in both stores.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "docker-compose-behaviour.md"
SECONDS = 60
_ROW = re.compile(r"^\| `(?P<command>[^`]+)` \| (?P<docker>\d+) \| (?P<own>\d+) \| ?(?P<reason>.*?) ?\|$", re.MULTILINE)
_FILE = re.compile(r"^```yaml title=\"compose.yaml\"\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Row(Record):
    """A command without its program, the exit codes of Docker Compose and of Orchestra, and why they differ."""

    command: str
    docker: int
    own: int
    reason: str


def read_page(text: str) -> tuple[str, list[Row]]:
    """The Compose file of the page, and the rows of its table. Raises ValueError if there is no file."""
    file = _FILE.search(text)
    if file is None:
        raise ValueError("the page has no compose.yaml")
    rows = [
        Row(found["command"], int(found["docker"]), int(found["own"]), found["reason"]) for found in _ROW.finditer(text)
    ]
    return file["text"], rows


def run(
    program: Sequence[str], row: Row, folder: Path, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """The exit code and what was written. Raises TimeoutExpired."""
    line = [*program, *shlex.split(row.command)]
    done = subprocess.run(
        line, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
    )
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def main(docker: Sequence[str]) -> int:
    text, rows = read_page(PAGE.read_text())
    differing = 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "compose.yaml").write_text(text)
        own = [sys.executable, "-m", "orchestra"]
        for row in rows:
            found = [run(program, row, Path(folder))[0] for program in (docker, own)]
            if found != [row.docker, row.own]:
                differing += 1
                print(f"{row.command}: {found[0]} and {found[1]}, not {row.docker} and {row.own}")
    print(f"{len(rows)} commands, {differing} differ from the page")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["docker", "compose"]))
