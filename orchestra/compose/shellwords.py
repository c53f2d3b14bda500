"""Splitting a command given as one string into words, as Docker Compose does.

This is not a shell: quotes group, a backslash makes the next character literal (within double quotes too), and nothing
is expanded. A bare ``;``, ``&``, ``|``, ``<`` or ``>`` ends the command.
"""

from __future__ import annotations

_ENDS = ";&|<>"


def split(text: str) -> tuple[tuple[str, ...], str]:
    """The words, and the rest of the text after a shell operator. ValueError if a quote stays open."""
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    index = 0
    while index < len(text):
        character = text[index]
        index += 1
        if character == "\\" and quote != "'":
            word = word if word is not None else []
            if index < len(text):
                word.append(text[index])
            index += 1
        elif quote:
            if character == quote:
                quote = ""
            else:
                assert word is not None
                word.append(character)
        elif character in "'\"":
            quote = character
            word = word if word is not None else []
        elif character in " \t\r\n":
            if word is not None:
                words.append("".join(word))
                word = None
        elif character in _ENDS:
            index -= 1
            break
        else:
            word = word if word is not None else []
            word.append(character)
    if quote:
        raise ValueError(f"the quote {quote} is never closed")
    if word is not None:
        words.append("".join(word))
    return tuple(words), text[index:]
