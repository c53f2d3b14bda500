"""Output in a locale whose encoding lacks some characters."""

from __future__ import annotations

import codecs
import sys

SPELLING = {
    **{"…": "...", "→": "->", "✔": "*", "✘": "x", "│": "|", "─": "-", "▼": "v", "▽": "V", "♥": "h", "♡": "H"},
    **{"✓": "o", "●": "@"},
    **dict.fromkeys("┌┐└┘┬┼", "+"),
}


def spell_what_cannot_be_encoded() -> None:
    """Make the standard streams write ``...`` or a question mark for characters that their encoding lacks."""
    codecs.register_error("spell", _spell)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a test or a caller may have put another object there
        if reconfigure is not None:
            reconfigure(errors="spell")


def spelled(text: str) -> str:
    """The text as standard output will show it, so that its width can be counted."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if text.isascii() or encoding == "utf-8":
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        return text[: error.start] + _ours(text[error.start : error.end]) + spelled(text[error.end :])
    return text


def _spell(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return _ours(error.object[error.start : error.end]), error.end


def _ours(missing: str) -> str:
    return "".join(SPELLING.get(character, "?") for character in missing)
