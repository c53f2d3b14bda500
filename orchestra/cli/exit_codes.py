"""Exit codes of commands that a signal ends: 128 plus its number, as shells report it."""

from __future__ import annotations

INTERRUPTED = 130
"""By Ctrl-C."""
BROKEN_PIPE = 141
"""The reader of the output is gone."""
