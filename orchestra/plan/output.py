"""What is told of a probe's output. Standard library only: ``ps`` shows it too."""

from __future__ import annotations

from orchestra.visible import visible

LIMIT = 200
"""How many characters of a line are shown."""


def last_line(output: str) -> str:
    """The last line with something in it, shortened, and with control characters made visible."""
    text = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")
    text = visible(text)
    return text if len(text) <= LIMIT else f"{text[: LIMIT - 3]}..."


def describe_failed_probe(output: str, exit_code: int | None) -> str:
    """``connection refused (exit code 1)``; empty when nothing is known."""
    code = "" if exit_code is None else f"exit code {exit_code}"
    line = last_line(output)
    return f"{line} ({code})" if line and code else line or code
