"""The README: commands that are missing, and some rows of the measured table of docs/explanation/benchmarks.md."""

from __future__ import annotations

from pathlib import Path

from tools.reference import marks
from tools.reference.commands import missing_commands

MEASURED = Path(__file__).parents[2] / "docs" / "explanation" / "benchmarks.md"

ROWS = {
    "`up -d`, 1 service": "`up -d`, 1 service",
    "`up -d`, 50 services": "`up -d`, 50 services",
    "`up -d` again, 50 services running": "`up -d` again, nothing to do, 50 services",
    "`up -d`, chain of 10, each healthy before the next (interval 1 s)": "`up -d`, a chain of 10 healthy services",
    "`ps`, 50 services running": "`ps`, 50 services",
    "`config`, 50 services": "`config`, 50 services",
    "`down`, 50 services": "`down`, 50 services",
}
"""What a row is called there, and here."""


def renew(page: str) -> str:
    measured = dict(map(_cells, MEASURED.read_text(encoding="utf-8").splitlines()))
    rows = [(name, *map(_seconds, measured[key][:3])) for key, name in ROWS.items()]
    figures = marks.table(("seconds", "Orchestra", "Docker Compose", "podman-compose"), rows)
    return marks.replace(marks.replace(page, "missing commands", missing_commands()), "figures", figures)


def _cells(line: str) -> tuple[str, list[str]]:
    first, *others = [cell.strip() for cell in line.strip("|").split("|")]
    return first, others


def _seconds(milliseconds: str) -> str:
    return f"{int(milliseconds) / 1000:.2f}" if milliseconds.isdecimal() else "-"
