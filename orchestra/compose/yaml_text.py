"""Plain data as block-style YAML that ``compose.source`` reads back to the same data."""

from __future__ import annotations

from typing import Any

from orchestra.compose.scalars import render, resolve
from orchestra.regex import regex

# Printable text that cannot be taken for anything else in block context (YAML 1.2, chapters 7.3.3 and 5.3).
# Written so that no class mixes ASCII with more: it would take 4 ms to compile.
_PLAIN = regex(r"(?:[A-Za-z0-9_./$(+=^~\\;<-]|(?=[\u00a1-\ud7ff]).)(?:[^\x00-\x1f\x7f-\xa0](?<!\ufeff))*")
_UNSAFE = regex(r":(?:\s|$)|\s#|\s$|^[-?:](?:\s|$)|^---|^\.\.\.|^<<$|^=$")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
# Text that YAML 1.1 readers take for something else: booleans, numbers to the base of sixty, dates.
_OTHERWISE = regex(r"[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?|\d{4}-\d\d?-\d\d?.*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off"})


def render_yaml(value: Any, *, indent: int = 2) -> str:
    """The text of a mapping or sequence, with a final newline. indent: of a mapping's values, at the first level."""
    lines: list[str] = []
    if isinstance(value, dict) and indent != 2:
        for key, item in value.items():
            _entry(f"{_scalar(key)}:", item, indent, lines)
    else:
        _render(value, 0, lines)
    return "\n".join(lines) + "\n"


def _render(value: Any, indent: int, lines: list[str]) -> None:
    pad = " " * indent
    if isinstance(value, dict):
        for key, item in value.items():
            _entry(f"{pad}{_scalar(key)}:", item, indent + 2, lines)
    else:
        for item in value:
            if isinstance(item, (dict, list, tuple)) and item:
                start = len(lines)
                _render(item, indent + 2, lines)
                lines[start] = f"{pad}- {lines[start][indent + 2 :]}"
            else:
                _entry(f"{pad}-", item, indent + 2, lines)


def _entry(head: str, item: Any, indent: int, lines: list[str]) -> None:
    if isinstance(item, (dict, list, tuple)):
        if item:
            lines.append(head)
            _render(item, indent, lines)
        else:
            lines.append(f"{head} {'{}' if isinstance(item, dict) else '[]'}")
    elif isinstance(item, str) and _is_block(item):
        ending = "-" if not item.endswith("\n") else "+" if item.endswith("\n\n") else ""
        lines.append(f"{head} |{ending}")
        body = item[:-1] if item.endswith("\n") else item
        lines.extend(" " * indent + line if line else "" for line in body.split("\n"))
    else:
        lines.append(f"{head} {_scalar(item)}")


def _is_block(text: str) -> bool:
    """Whether a literal block shows the text as it is: printable lines, the first one not indented or empty."""
    return (
        "\n" in text.strip("\n")
        and text[0] not in " \n\t"
        and all(character == "\n" or character == "\t" or character.isprintable() for character in text)
    )


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if not isinstance(value, str):
        return render(value)
    is_string = isinstance(resolve(value), str) and value.lower() not in _WORDS
    if is_string and _PLAIN.fullmatch(value) and not _UNSAFE.search(value) and not _OTHERWISE.fullmatch(value):
        return value
    return _quoted(value)


def _quoted(text: str) -> str:
    """Double quotes, with YAML's own escapes for unprintable characters (JSON's would split large code points)."""
    escaped = (
        _ESCAPES.get(character) or (character if character.isprintable() else f"\\U{ord(character):08X}")
        for character in text
    )
    return f'"{"".join(escaped)}"'
