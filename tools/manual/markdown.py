"""The part of Markdown that the reference is written in, as roff: paragraphs, lists, tables and indented code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tools.manual import roff

if TYPE_CHECKING:
    from collections.abc import Iterator

LINK = re.compile(r"\[((?:`[^`]*`|[^\]`])*)\]\(([^)]+)\)")
_INLINE = re.compile(r"``(?P<long>.+?)``|`(?P<code>[^`]+)`|\*\*(?P<bold>[^*]+)\*\*|\*(?P<italic>[^*]+)\*")
_CELLS = re.compile(r"(?<!\\)\|")


def render(text: str) -> str:
    """Blocks of Markdown, without headings."""
    return "".join(_render_block(block) for block in _blocks(text))


def inline(text: str) -> str:
    """What stands within a paragraph. A link becomes its text, followed by an address of the web."""
    parts, end = [], 0
    text = LINK.sub(_link, text)
    for match in _INLINE.finditer(text):
        parts.append(roff.escape_within(text[end : match.start()]))
        if match["italic"]:
            parts.append(roff.italic(match["italic"]))
        else:
            parts.append(roff.bold((match["long"] or match["code"] or match["bold"]).strip()))
        end = match.end()
    return roff.at_start("".join([*parts, roff.escape_within(text[end:])]))


def _link(match: re.Match[str]) -> str:
    text, target = match.groups()
    return f"{text} <{target}>" if "://" in target else text


def _blocks(text: str) -> Iterator[list[str]]:
    """The lines between blank ones. Code goes on over blank lines, and each entry of a list is a block."""
    block: list[str] = []
    for line in text.splitlines():
        if block and (not line or line.startswith("- ")):
            yield block
            block = []
        if line:
            block.append(line)
    if block:
        yield block


def _render_block(lines: list[str]) -> str:
    if lines[0].startswith("    "):
        return roff.code("\n".join(roff.escape(line[4:]) for line in lines))
    if lines[0].startswith("|"):
        return _table([_row(line) for line in lines])
    text = " ".join(line.strip() for line in lines)
    if text.startswith("- "):
        return roff.item(inline(text[2:]))
    return roff.paragraph(inline(text))


def _row(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELLS.split(line.strip().strip("|"))]


def _table(rows: list[list[str]]) -> str:
    """The first column names what the others say; those of a wide table say it under their headings."""
    header, _, *body = rows
    definitions = []
    for first, *others in body:
        named = zip(header[1:], others, strict=True)
        meaning = others[0] if len(others) == 1 else "; ".join(f"{name}: {cell}" for name, cell in named if cell)
        definitions.append(roff.definition(inline(first), inline(meaning)))
    return "".join(definitions)
