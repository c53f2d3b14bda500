"""Runs the commands of a page of the documentation with Docker Compose and with Orchestra, and compares exit codes.

``python -m tools.beside docker compose`` prints what differs from the page's table; its arguments begin a command of
Docker Compose. With ``--outputs`` before them, it also prints how the outputs differ, apart from IDs, times and the
order of lines. Needs root, Docker, and the page's image in both stores.
"""

from __future__ import annotations

import difflib
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
_CHANGING = (
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "ID"),
    (re.compile(r"(\d+|About an?|Less than a) (second|minute|hour)s?( ago)?"), "AGE"),
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r"-{4,}|={4,}"), "---"),
)
"""What is never the same twice, or is only layout, and the word in its place."""
_MARKS = ("--", "++", "@@")
"""Beginnings of the heads of a difference."""
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


def difference(docker: str, own: str) -> str:
    """How the outputs differ, as lines with ``-`` for Docker Compose's and ``+`` for ours; empty if they do not."""
    before, after = (sorted(_plain(text).splitlines()) for text in (docker, own))
    lines = difflib.unified_diff(before, after, lineterm="", n=0)
    return "".join(f"    {line}\n" for line in lines if line[:2] not in _MARKS)


def _plain(text: str) -> str:
    """The text without what is never the same twice."""
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    return text


def main(arguments: Sequence[str]) -> int:
    outputs = arguments[:1] == ["--outputs"]
    docker = arguments[outputs:] or ["docker", "compose"]
    text, rows = read_page(PAGE.read_text())
    differing = 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "compose.yaml").write_text(text)
        own = [sys.executable, "-m", "orchestra"]
        for row in rows:
            done = [run(program, row, Path(folder)) for program in (docker, own)]
            found = [code for code, _ in done]
            if outputs and (lines := difference(done[0][1], done[1][1])):
                print(f"{row.command}\n{lines}", end="")
            if found != [row.docker, row.own]:
                differing += 1
                print(f"{row.command}: {found[0]} and {found[1]}, not {row.docker} and {row.own}")
    print(f"{len(rows)} commands, {differing} differ from the page")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
