"""How many of its jobs a command does at the same time."""

from __future__ import annotations


def how_many(asked: int | None, default: int, jobs: int) -> int:
    """Of these jobs at a time. asked: as ``--parallel`` has it: -1 for all, None for the default."""
    return default if not asked else asked if asked > 0 else max(jobs, 1)
