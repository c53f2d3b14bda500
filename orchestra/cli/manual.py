"""Manual pages from the command table: ``make man`` writes them, and the build of a wheel does. Standard library only.

They are written in the macros of man(7), and rendered by both groff and mandoc.
"""

from __future__ import annotations

import os
import sys
import time

from orchestra import __version__
from orchestra.cli import table
from orchestra.cli.examples import EXAMPLES
from orchestra.command_line.option import FLAG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.cli.syntax import Command
    from orchestra.command_line.option import Option

SUMMARY = "run multi-container stacks from Compose files"
DESCRIPTION = (
    "Orchestra runs the services of a Compose file as containers on this machine, without a system daemon. "
    "It reads compose.yaml in the working directory or the nearest parent directory that has one, "
    "unless -f names other files. Global options stand before the command."
)
COMPLETION = (
    'Bash: add "source <(orchestra completion bash)" to ~/.bashrc. '
    'Zsh: add "source <(orchestra completion zsh)" to ~/.zshrc, after compinit. '
    "Fish: write the output to ~/.config/fish/completions/orchestra.fish."
)
EXIT_STATUS = {
    "0": "Success.",
    "1": "The command failed; the message on standard error says why.",
    "2": "plan only: there is something to do.",
    "14": "No Compose file was found.",
    "15": "The Compose file is wrong.",
    "16": "The command line is not valid.",
    "126": "exec: the program cannot be executed.",
    "127": "exec: there is no such program in the container.",
    "130": "Interrupted by Ctrl-C.",
    "141": "The reader of the output has gone.",
}
ENVIRONMENT = {
    "ORCHESTRA_HOME": "Directory of everything that Orchestra keeps, in place of the directories under FILES.",
    "COMPOSE_FILE": "Compose files, separated by colons, when -f is not given.",
    "COMPOSE_PROJECT_NAME": "Name of the stack, when -p is not given.",
    "COMPOSE_PROFILES": "Active profiles, separated by commas.",
    "COMPOSE_ENV_FILES": "Files of variables, separated by commas, when --env-file is not given.",
    "DOCKER_DEFAULT_PLATFORM": "Platform of images for which none is named.",
    "NO_COLOR": "Disables colours if it is not empty.",
    "COLUMNS": "Width of tables, in place of the width of the terminal.",
}
FILES = {
    "compose.yaml": "The Compose file; also compose.yml, docker-compose.yaml and docker-compose.yml.",
    "/var/lib/orchestra": "Images, volumes and logs of root; ~/.local/share/orchestra for other users.",
    "/run/orchestra": "Running containers and sockets of root; $XDG_RUNTIME_DIR/orchestra for other users.",
}


def render_pages(date: str) -> dict[str, str]:
    """Every page by its file's name, such as ``orchestra-up.1``. date: of the pages, as ``2026-01-31``."""
    pages = {"orchestra": _whole()}
    pages |= {f"orchestra-{name}": _group(name, help) for name, help in table.GROUPS.items()}
    pages |= {_page_name(command): _command(command) for command in table.COMMANDS}
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
    commands = dict(_first_level())
    return (
        _name("orchestra", SUMMARY)
        + _section("SYNOPSIS", _bold("orchestra") + " [" + _italic("OPTION") + "]... " + _italic("COMMAND") + " ...\n")
        + _section("DESCRIPTION", f"{_escape(DESCRIPTION)}\n.PP\nEach command has a page of its own.\n")
        + _section("OPTIONS", "".join(map(_option, table.GLOBAL)))
        + _section("COMMANDS", _definitions({f"orchestra-{name}": help for name, help in commands.items()}, "(1)"))
        + _section("EXIT STATUS", _definitions(EXIT_STATUS))
        + _section("ENVIRONMENT", _definitions(ENVIRONMENT))
        + _section("FILES", _definitions(FILES))
        + _examples("")
    )


def _first_level() -> list[tuple[str, str]]:
    return [(each.name, each.help) for each in table.COMMANDS if " " not in each.name] + list(table.GROUPS.items())


def _group(name: str, help: str) -> str:
    commands = [command for command in table.COMMANDS if command.name.startswith(f"{name} ")]
    return (
        _name(f"orchestra-{name}", help)
        + _section("SYNOPSIS", f"{_bold(f'orchestra {name}')} {_italic('COMMAND')} ...\n")
        + _section("COMMANDS", _definitions({_page_name(command): command.help for command in commands}, "(1)"))
        + _examples(name)
        + _see_also()
    )


def _command(command: Command) -> str:
    arguments = " ".join(_italic(argument.metavar) for argument in command.arguments)
    options = [option for option in command.options if not option.hidden]
    synopsis = f"{_bold(f'orchestra {command.name}')}{' [OPTION]...' if options else ''} {arguments}".rstrip()
    description = f"{_escape(command.help)}.\n"
    if command.name == "completion":
        description += f".PP\n{_escape(COMPLETION)}\n"
    return (
        _name(_page_name(command), command.help.partition(";")[0])
        + _section("SYNOPSIS", f"{synopsis}\n")
        + _section("DESCRIPTION", description)
        + _section("ARGUMENTS", "".join(_definition(_italic(a.metavar), a.help) for a in command.arguments))
        + _section("OPTIONS", "".join(map(_option, options)))
        + _examples(command.name)
        + _see_also(*command.name.split()[:-1])
    )


def _page_name(command: Command) -> str:
    return f"orchestra-{command.name.replace(' ', '-')}"


def _name(name: str, summary: str) -> str:
    """What apropos(1) and whatis(1) read."""
    return _section("NAME", f"{_escape(name)} \\- {_escape(summary[:1].lower() + summary[1:])}\n")


def _section(heading: str, body: str) -> str:
    return f".SH {heading}\n{body}" if body else ""


def _see_also(*groups: str) -> str:
    pages = ["orchestra", *(f"orchestra-{group}" for group in groups)]
    return _section("SEE ALSO", "".join(f".BR {_escape(page)} (1)\n" for page in pages))


def _examples(name: str) -> str:
    examples = (
        f".PP\n{_escape(example.meaning)}:\n.PP\n.RS 4\n.nf\n{_bold(example.command_line)}\n.fi\n.RE\n"
        for example in EXAMPLES.get(name, ())
    )
    return _section("EXAMPLES", "".join(examples).removeprefix(".PP\n"))


def _option(option: Option) -> str:
    flags = ", ".join(map(_bold, option.flags))
    if option.choices:
        flags += " " + "|".join(map(_bold, option.choices))
    elif option.kind != FLAG:
        flags += f" {_italic(option.metavar or option.kind.upper())}"
    default = f" (default: {option.default})" if option.default is not None else ""
    return _definition(flags, option.help + default)


def _definitions(meanings: Mapping[str, str], section: str = "") -> str:
    return "".join(_definition(f"{_bold(word)}{section}", meaning) for word, meaning in meanings.items())


def _definition(term: str, meaning: str) -> str:
    """term: roff; meaning: plain."""
    return f".TP\n{term}\n{_escape(meaning.rstrip('.'))}.\n"


def _bold(text: str) -> str:
    return f"\\fB{_escape(text)}\\fR"


def _italic(text: str) -> str:
    return f"\\fI{_escape(text)}\\fR"


_SPECIAL = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", '"': "\\(dq", "~": "\\(ti", "^": "\\(ha"}
_ESCAPES = str.maketrans(_SPECIAL)


def _escape(text: str) -> str:
    """Plain text as roff shows it unchanged: a program can be copied from the page. ``\\&`` keeps a dot at the
    beginning of a line from being a request.
    """
    escaped = text.translate(_ESCAPES)
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    write_pages(sys.argv[1])
