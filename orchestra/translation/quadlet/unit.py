"""A unit file as data, and its text.

The generator puts most values into a command line of systemd, which replaces ``$`` and ``%`` once more; both are
doubled here. Some keys take the rest of their line as it is, the others take words with quotes: systemd.syntax(7).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestra.errors import UserError
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.translation.result import Object

Section = dict[str, list[str]]
"""Values by key, each of which becomes a line."""
_PLAIN = regex(r"[^\s\"'\\;#]+")


def whole(text: object) -> str:
    """A value that takes the rest of its line."""
    shown = str(text)
    if "\n" in shown or shown.endswith("\\"):
        raise UserError(
            f"{shown!r} cannot be written in a unit file", hint="leave out line breaks and the last backslash"
        )
    return _doubled(shown)


def words(*texts: object) -> str:
    """Values among which systemd splits at spaces."""
    return " ".join(_quoted(_doubled(str(text))) for text in texts)


def array(texts: Iterable[str]) -> str:
    """A command for keys that take it as a JSON array."""
    return _doubled(json.dumps(list(texts)))


def _doubled(text: str) -> str:
    return text.replace("%", "%%").replace("$", "$$")


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


class Lines:
    """The lines of a section as they are gathered."""

    def __init__(self) -> None:
        self.found: Section = {}

    def add(self, key: str, *values: str) -> None:
        """Several values are several lines."""
        if values:
            self.found.setdefault(key, []).extend(values)

    def option(self, name: str, value: object = None) -> None:
        """An option of ``podman run`` that has no key of its own."""
        self.add("PodmanArgs", words(f"--{name}" if value is None else f"--{name}={value}"))


def unit_object(name: str, sections: dict[str, Section]) -> Object:
    """name: of the file. Sections without lines are left out."""
    return {"name": name, "sections": {title: lines for title, lines in sections.items() if lines}}


def render_unit(unit: Object) -> str:
    blocks = [
        "\n".join([f"[{title}]", *(f"{key}={value}" for key, values in lines.items() for value in values), ""])
        for title, lines in unit["sections"].items()
    ]
    return "\n".join(blocks)
