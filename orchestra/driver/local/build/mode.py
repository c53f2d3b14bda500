"""Modes of files as ``--chmod`` takes them: octal, or symbolic as for chmod(1). Pure."""

from __future__ import annotations

import re

from orchestra.errors import UserError
from orchestra.regex import regex

_CLAUSE = regex(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)")
_ACTION = regex(r"([-+=])([rwxXst]*|[ugo])")
_SHIFTS = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 4, "w": 2, "x": 1}
_SPECIAL = {"u": 0o4000, "g": 0o2000, "o": 0}
STICKY = 0o1000


def change_mode(text: str, mode: int, *, is_directory: bool) -> int:
    """The new permission bits of a file that has ``mode``. Raises UserError."""
    if re.fullmatch(r"[0-7]{1,5}", text):
        return int(text, 8) & 0o7777
    for part in text.split(","):
        clause = _CLAUSE.fullmatch(part)
        if clause is None:
            raise UserError(f"--chmod={text}: not a mode", hint="write it as 755, or as u=rwx,go=rx")
        classes = {"u", "g", "o"} if clause[1] in ("", "a") or "a" in clause[1] else set(clause[1])
        for action, letters in _ACTION.findall(clause[2]):
            mode = _apply(mode, classes, action, letters, is_directory=is_directory)
    return mode


def _apply(mode: int, classes: set[str], action: str, letters: str, *, is_directory: bool) -> int:
    for name in sorted(classes):
        shift = _SHIFTS[name]
        if letters in _SHIFTS:
            bits = mode >> _SHIFTS[letters] & 7
        else:
            bits = sum({_BITS[letter] for letter in letters if letter in _BITS})
            if "X" in letters and (is_directory or mode & 0o111):
                bits |= 1
        wanted = bits << shift | (_SPECIAL[name] if "s" in letters else 0)
        match action:
            case "+":
                mode |= wanted
            case "-":
                mode &= ~wanted
            case _:
                mode = mode & ~(7 << shift | _SPECIAL[name]) | wanted
    if "t" in letters and letters not in _SHIFTS:
        mode = mode & ~STICKY if action == "-" else mode | STICKY
    return mode
