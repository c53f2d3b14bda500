"""Output in a locale whose encoding lacks some of our characters."""

from __future__ import annotations

import codecs
import sys

SPELLING = {"…": "...", "→": "->", "✔": "*", "✘": "x", "│": "|"}


def spell_what_cannot_be_encoded() -> None:
    """From now on the standard streams write ``...`` for what their encoding lacks, or a question mark."""
    codecs.register_error("spell", _spell)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # what a test or a caller has put there may be no file
        if reconfigure is not None:
            reconfigure(errors="spell")


def _spell(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join(SPELLING.get(character, "?") for character in missing), error.end
