"""Text of others that is safe to show: what would steer a terminal, or hide in the text, is written out."""

from __future__ import annotations


def visible(text: str, *, lines: bool = False) -> str:
    """``text`` with everything but printable characters as Python writes it: ``\\x1b``, ``\\n``, ``\\u202e``.

    That takes control characters, line separators, marks of writing direction and undecodable bytes. lines: line feeds
    and tabs stay.
    """
    if text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(
        character
        if character.isprintable() or character in kept
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )
