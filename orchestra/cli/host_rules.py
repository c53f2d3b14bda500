"""Which commands make sense on another machine, and how their command lines are given there."""

from __future__ import annotations

from orchestra.cli import table
from orchestra.command_line.option import FLAG, LIST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.cli.syntax import Command
    from orchestra.command_line.option import Option

HERE = frozenset({"config", "graph", "help", "completion"})
"""Commands about files of this machine: they run here whatever the host."""

WITHOUT_FILE = frozenset({"ls", "doctor", "version", "metrics", "unshare", "recover"})
"""Commands that read no Compose file, besides those of groups."""

INTERACTIVE = frozenset({"exec", "run", "attach", "up", "ui", "rm", *(f"{group} prune" for group in table.GROUPS)})
"""Commands that use the keyboard. The others leave what is typed to the shell."""

READING = frozenset({"exec", "run", "attach", "cp", "build", "image build", "image load", "image import"})
"""Commands that read standard input when it is no terminal."""

_BELONGS_HERE = "leave --host out, and ORCHESTRA_HOST unset"
_RUN_THERE = "run it on that machine: ssh -t SERVER orchestra"

REFUSED: Mapping[str, tuple[str, str]] = {
    "watch": ("it copies files as they change, which only works where they are", f"{_RUN_THERE} watch"),
    "test": ("its stacks and its failures on purpose are of this machine", _BELONGS_HERE),
    "deploy": ("a cluster is asked from here", f"{_BELONGS_HERE}; --manager names a manager of a swarm"),
    "publish": ("what it publishes is here", _BELONGS_HERE),
    "apply": ("the plan was written on the machine that it is for", f"{_RUN_THERE} apply FILE"),
    "web": (
        "its page would be on that machine",
        "use ssh -L 8080:localhost:8080 SERVER orchestra web --listen 127.0.0.1:8080",
    ),
    "api": ("its socket would be on that machine", "use ssh -L SOCKET:SOCKET SERVER orchestra api --socket SOCKET"),
}
"""Commands that cannot be meant for another machine: why, and what to do instead."""

_REFUSED_OPTIONS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("up", "follow"): ("the file would be followed on that machine, where it is not", f"{_RUN_THERE} up -d --follow"),
    ("up", "watch"): REFUSED["watch"],
    ("plan", "out"): ("the plan would be written on that machine", f"{_RUN_THERE} plan --out FILE"),
    ("metrics", "listen"): (
        "they would be served on that machine",
        "use ssh -L 9323:localhost:9323 SERVER orchestra metrics --listen 127.0.0.1:9323",
    ),
    ("image build", "id_file"): ("the file would be written on that machine", "use --quiet, which prints the ID"),
    **{
        (name, "driver"): REFUSED["deploy"] for name in (command.name for command in table.COMMANDS) if name != "deploy"
    },
}


def find_refusal(invocation: Invocation) -> tuple[str, str] | None:
    """What is wrong with the command line for another machine: why, and what to do instead."""
    name = invocation.command
    if name in REFUSED:
        return f"{name} cannot run on another machine: {REFUSED[name][0]}", REFUSED[name][1]
    for (command, option), (why, hint) in _REFUSED_OPTIONS.items():
        if command == name and invocation.values.get(option):
            return f"{name} {table.flags_of(name)[option]} cannot run on another machine: {why}", hint
    return None


def reads_file(command: str) -> bool:
    return command not in WITHOUT_FILE and command.partition(" ")[0] not in table.GROUPS


def words_of(invocation: Invocation, command: Command, values: Mapping[str, Any]) -> tuple[str, ...]:
    """The command line again, without the host. values: of the command's options and arguments."""
    shared = [option for option in table.GLOBAL if option.name not in ("host", "no_ansi", "workdir")]
    arguments: list[str] = []
    for argument in command.arguments:
        given = values[argument.name]
        arguments += map(str, given) if isinstance(given, list) else [] if given is None else [str(given)]
    return (
        *_options(shared, invocation.shared),
        *command.name.split(),
        *_options(table.options_after(command), values),
        *(("--", *arguments) if arguments else ()),
    )


def _options(options: list[Option] | tuple[Option, ...], values: Mapping[str, Any]) -> Iterator[str]:
    for option in options:
        value, flag = values[option.name], option.flags[-1]
        if value == option.initial:
            continue
        if option.kind == FLAG:
            yield f"{flag}={str(bool(value)).lower()}"
            continue
        for item in value if option.kind == LIST else (value,):
            yield from (f"{flag}={item}",) if flag.startswith("--") else (flag, str(item))
