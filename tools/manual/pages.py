"""What each page says."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from orchestra import __version__
from orchestra.cli import table
from orchestra.cli.examples import EXAMPLES
from orchestra.command_line.option import FLAG
from tools.manual import markdown
from tools.manual.prose import pages_named, read_sections
from tools.manual.roff import bold, code, definition, escape, italic, paragraph, section
from tools.reference.commands import render_meaning
from tools.reference.environment import TABLES
from tools.reference.exit_codes import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.cli.syntax import Command
    from orchestra.command_line.option import Option

SUMMARY = "run multi-container stacks from Compose files"
FILES = {
    "compose.yaml": "The Compose file; also compose.yml, docker-compose.yaml and docker-compose.yml.",
    "/var/lib/orchestra": "Images, volumes and logs of root; ~/.local/share/orchestra for other users.",
    "/run/orchestra": "Running containers and sockets of root; `$XDG_RUNTIME_DIR/orchestra` for other users.",
}
SHARED = ("Progress", "Formats", "Tables on a narrow terminal", "Permissions")
"""Headings of the reference that concern all commands."""
VARIABLES = ("orchestra", "compose", "registries")
"""Tables of the variables that commands read."""


def render_pages(date: str) -> dict[str, str]:
    """Every page by its file's name, such as ``orchestra-up.1``. date: of the pages, as ``2026-01-31``."""
    pages = {"orchestra": _whole()}
    pages |= {f"orchestra-{name}": _group(name, help) for name, help in table.GROUPS.items()}
    sections = read_sections()
    pages |= {_page_name(command): _command(command, sections[command.name]) for command in table.COMMANDS}
    return {f"{name}.1": _title(name, date) + body for name, body in pages.items()}


def write_pages(directory: str) -> None:
    """Write them, with the date of SOURCE_DATE_EPOCH, which makes builds alike, or today's."""
    moment = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH") or time.time()))
    os.makedirs(directory, exist_ok=True)
    for name, text in render_pages(time.strftime("%Y-%m-%d", moment)).items():
        with open(f"{directory}/{name}", "w", encoding="utf-8") as file:
            file.write(text)


def _title(name: str, date: str) -> str:
    return f'.TH "{name.upper()}" "1" "{date}" "Orchestra {__version__}" "Orchestra"\n.nh\n.ad l\n'


def _whole() -> str:
    commands, sections = dict(_first_level()), read_sections()
    description = sections["Commands"].partition("\n\n")[2]  # without the usage, which is the synopsis
    return (
        _name("orchestra", SUMMARY)
        + section("SYNOPSIS", bold("orchestra") + " [" + italic("OPTION") + "]... " + italic("COMMAND") + " ...\n")
        + section("DESCRIPTION", markdown.render(description) + paragraph("Each command has a page of its own."))
        + section("OPTIONS", "".join(map(_option, table.GLOBAL)) + markdown.render(sections["Global options"]))
        + section("COMMANDS", _definitions({f"orchestra-{name}": help for name, help in commands.items()}, "(1)"))
        + "".join(section(name.upper(), markdown.render(sections[name])) for name in SHARED)
        + section("EXIT STATUS", _definitions({str(number): MEANINGS[number] for number in sorted(MEANINGS)}))
        + section("ENVIRONMENT", "".join(_definitions(TABLES[name]) for name in VARIABLES))
        + section("FILES", _definitions(FILES))
        + _examples("")
        + section("SEE ALSO", _documentation("".join([description, *map(sections.__getitem__, SHARED)])))
    )


def _first_level() -> list[tuple[str, str]]:
    return [(each.name, each.help) for each in table.COMMANDS if " " not in each.name] + list(table.GROUPS.items())


def _group(name: str, help: str) -> str:
    commands = [command for command in table.COMMANDS if command.name.startswith(f"{name} ")]
    return (
        _name(f"orchestra-{name}", help)
        + section("SYNOPSIS", f"{bold(f'orchestra {name}')} {italic('COMMAND')} ...\n")
        + section("COMMANDS", _definitions({_page_name(command): command.help for command in commands}, "(1)"))
        + _examples(name)
        + _see_also()
    )


def _command(command: Command, prose: str) -> str:
    """prose: Markdown."""
    arguments = " ".join(italic(argument.metavar) for argument in command.arguments)
    options = [option for option in command.options if not option.hidden]
    synopsis = f"{bold(f'orchestra {command.name}')}{' [OPTION]...' if options else ''} {arguments}".rstrip()
    return (
        _name(_page_name(command), command.help.partition(";")[0])
        + section("SYNOPSIS", f"{synopsis}\n")
        + section("DESCRIPTION", paragraph(f"{escape(command.help)}.") + markdown.render(prose))
        + section("ARGUMENTS", "".join(definition(italic(a.metavar), escape(a.help)) for a in command.arguments))
        + section("OPTIONS", "".join(map(_option, options)))
        + _examples(command.name)
        + _see_also(*command.name.split()[:-1], prose=prose)
    )


def _page_name(command: Command) -> str:
    return f"orchestra-{command.name.replace(' ', '-')}"


def _name(name: str, summary: str) -> str:
    """What apropos(1) and whatis(1) read."""
    return section("NAME", f"{escape(name)} \\- {escape(summary[:1].lower() + summary[1:])}\n")


def _see_also(*groups: str, prose: str = "") -> str:
    pages = ["orchestra", *(f"orchestra-{group}" for group in groups)]
    return section("SEE ALSO", "".join(f".BR {escape(page)} (1)\n" for page in pages) + _documentation(prose))


def _documentation(prose: str) -> str:
    pages = pages_named(prose)
    return paragraph(escape(f"In Orchestra's documentation: {', '.join(pages)}.")) if pages else ""


def _examples(name: str) -> str:
    examples = EXAMPLES.get(name, ())
    return section(
        "EXAMPLES",
        "".join(paragraph(f"{escape(each.meaning)}:") + code(bold(each.command_line)) for each in examples),
    )


def _option(option: Option) -> str:
    flags = ", ".join(map(bold, option.flags))
    if option.choices:
        flags += " " + "|".join(map(bold, option.choices))
    elif option.kind != FLAG:
        flags += f" {italic(option.metavar or option.kind.upper())}"
    return definition(flags, markdown.inline(render_meaning(option)))


def _definitions(meanings: Mapping[str, str], chapter: str = "") -> str:
    """meanings: Markdown."""
    return "".join(definition(f"{bold(word)}{chapter}", markdown.inline(meaning)) for word, meaning in meanings.items())
