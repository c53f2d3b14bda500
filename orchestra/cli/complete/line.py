"""The words of an unfinished line in bash, which also splits at characters other than blanks. Pure."""

from __future__ import annotations

from orchestra.record import Record


class Line(Record):
    """words: before the one at the cursor, without their quotes. current: that word. cut: how many of its characters
    bash counts as separate words, and does not expect in the answer.
    """

    words: tuple[str, ...]
    current: str
    cut: int


def split_line(line: str, breaks: str) -> Line:
    """line: a command up to the cursor. breaks: ``COMP_WORDBREAKS``, see bash(1)."""
    words: list[str] = []
    word: list[str] = []
    cut = 0
    quote = ""
    is_begun = False
    characters = iter(line)
    for character in characters:
        if quote == "'" and character != quote:
            word.append(character)
        elif quote and character == quote:
            quote = ""
        elif character == "\\":
            word.append(next(characters, ""))
            is_begun = True
        elif quote:
            word.append(character)
        elif character in "'\"":
            quote, is_begun, cut = character, True, len(word)
        elif character in " \t\n":
            if word or is_begun:
                words.append("".join(word))
            word, is_begun, cut = [], False, 0
        else:
            word.append(character)
            if character in breaks:
                cut = len(word)
    return Line(tuple(words), "".join(word), cut)
