"""What docs/reference/commands.md says about each command, by its heading."""

from __future__ import annotations

import re
from pathlib import Path

from tools.manual.markdown import LINK

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "reference" / "commands.md"

_PART = re.compile(r"<!-- generated: (.+?) -->\n(.*?)<!-- end -->\n?", re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)\n", re.MULTILINE)
_ELSEWHERE = {"commands", "global options"}
"""Generated parts that manual pages have in a section of their own, beside usage and options of each command."""


def read_sections() -> dict[str, str]:
    """The Markdown below each heading, without the generated parts."""
    page = _PART.sub(_part, PAGE.read_text(encoding="utf-8"))
    _, *parts = _HEADING.split(page)
    return {heading: text.strip() for heading, text in zip(parts[::2], parts[1::2], strict=True)}


def _part(match: re.Match[str]) -> str:
    name, text = match.groups()
    return "" if name in _ELSEWHERE or name.endswith((": usage", ": options")) else text


def pages_named(text: str) -> list[str]:
    """The other pages of the documentation that a text links to: their titles and their files below docs."""
    found: dict[str, None] = {}  # each once, in the text's order
    for _, target in LINK.findall(text):
        file = target.partition("#")[0]
        if file and "://" not in file:
            path = (PAGE.parent / file).resolve()
            title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
            found[f"{title} ({path.relative_to(DOCS)})"] = None
    return list(found)
