"""The page of commands: usage and options of each, from the table that parses them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestra.cli.table import COMMANDS, GLOBAL, GROUPS
from orchestra.cli.usage import NOT_YET
from orchestra.command_line.option import FLAG, LIST
from tools.reference import marks

if TYPE_CHECKING:
    from orchestra.cli.syntax import Command
    from orchestra.command_line.option import Option

LAST_SECTION = "## Permissions"
"""Sections of commands that the page does not have yet are put before it."""


def renew(page: str) -> str:
    """The page with every generated part made anew, and a section for each command that had none.

    Raises ValueError for a section of a command that the table does not have.
    """
    for command in COMMANDS:
        if f"\n## {command.name}\n" not in page:
            page = page.replace(f"\n{LAST_SECTION}\n", f"\n{_new_section(command)}\n{LAST_SECTION}\n")
    known = {"commands", "missing commands", "global options"}
    page = marks.replace(page, "commands", _overview())
    page = marks.replace(page, "missing commands", missing_commands())
    page = marks.replace(page, "global options", render_options(GLOBAL))
    for command in COMMANDS:
        known |= {f"{command.name}: usage", f"{command.name}: options"}
        page = marks.replace(page, f"{command.name}: usage", render_usage(command))
        if any(not option.hidden for option in command.options):
            page = marks.replace(page, f"{command.name}: options", render_options(command.options))
    if unknown := set(marks.names(page)) - known:
        raise ValueError(f"no such commands: {', '.join(sorted(unknown))}")
    return page


def missing_commands() -> str:
    """Those of Docker Compose that do not exist here."""
    return ", ".join(f"`{name}`" for name in sorted(NOT_YET)) + "."


def _new_section(command: Command) -> str:
    parts = [f"## {command.name}", marks.block(f"{command.name}: usage", "")]
    if any(not option.hidden for option in command.options):
        parts.append(marks.block(f"{command.name}: options", ""))
    return "\n\n".join(parts) + "\n"


def _overview() -> str:
    """Every command with its help: those of stacks first, then each group."""
    groups: dict[str, list[Command]] = {"": [], **{group: [] for group in GROUPS}}
    for command in COMMANDS:
        groups[command.name.split()[0] if " " in command.name else ""].append(command)
    tables = []
    for group, commands in groups.items():
        rows = [(f"[`{command.name}`](#{_anchor(command.name)})", command.help) for command in commands]
        header = (f"`{group}`", GROUPS[group]) if group else ("command", "what it does")
        tables.append(marks.table(header, rows))
    return "\n\n".join(tables)


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def render_usage(command: Command) -> str:
    words = ["orchestra", command.name]
    if any(not option.hidden for option in command.options):
        words.append("[OPTIONS]")
    words += [argument.metavar for argument in command.arguments]
    return f"{command.help}.\n\n    {' '.join(words)}"


def render_options(options: tuple[Option, ...]) -> str:
    rows = [(_flags(option), render_meaning(option)) for option in options if not option.hidden]
    return marks.table(("option", "meaning"), rows)


def _flags(option: Option) -> str:
    flags = ", ".join(f"`{flag}`" for flag in option.flags)
    if option.kind == FLAG:
        return flags
    values = (option.metavar,) if option.metavar else option.choices or (option.name.upper(),)
    return f"{flags} {' | '.join(f'`{value}`' for value in values)}"


def render_meaning(option: Option) -> str:
    """Markdown."""
    meaning = option.help.replace("{{", "`{{").replace("}}", "}}`")
    if option.kind == LIST and not re.search("several times|repeat", meaning):
        meaning += "; may be given several times"
    if option.default is not None and option.kind != FLAG:
        meaning += f" (default: `{option.default}`)"
    return meaning
