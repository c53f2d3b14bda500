"""``--host``: runs a command on another machine, with the files, variables and streams of this one."""

from __future__ import annotations

import os
import sys
import tempfile

from orchestra import __version__
from orchestra.cli.archive_streams import opened_output
from orchestra.cli.host_rules import INTERACTIVE, READING, find_refusal, reads_file, words_of
from orchestra.cli.table import find_command
from orchestra.errors import UserError
from orchestra.linux import tty
from orchestra.record import replace
from orchestra.ssh.address import parse_address
from orchestra.ssh.ask import Ends, ask, terminal_size
from orchestra.ssh.order import Order
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, BinaryIO

    from orchestra.cli.invocation import Invocation
    from orchestra.cli.syntax import Command
    from orchestra.ssh.ask import Provide
    from orchestra.stacks.context import Context

    Send = Callable[[Order, Ends, Provide], int]

DISPLAY = ("TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LINES", "TZ")
"""Variables of this terminal that the command there gets."""
_STATUS = {"status_stdout": "COMPOSE_STATUS_STDOUT", "ignore_orphans": "COMPOSE_IGNORE_ORPHANS"}


def run_on_host(invocation: Invocation) -> int:
    """The exit code of the command there. Raises UserError and Unreachable."""
    host = invocation.shared["host"]
    invocation.shared["host"] = None
    if (refusal := find_refusal(invocation)) is not None:
        raise UserError(refusal[0], hint=refusal[1])
    address = parse_address(host)
    command = find_command(invocation.command)
    assert command is not None

    def send(order: Order, ends: Ends, provide: Provide) -> int:
        return ask(address, order, __version__, ends, provide)

    return _Journey(invocation, command, send).run()


class _Journey:
    """One command line on its way. values: of its options, with paths of this machine absolute or left out."""

    def __init__(self, invocation: Invocation, command: Command, send: Send) -> None:
        self._invocation = invocation
        self._command = command
        self._send = send
        self._values = dict(invocation.values)
        # Nothing is done here, and ssh must run as the user it is.
        self._context: Context = invocation.make_context(enters=False)
        self._named: list[str] = []
        self._files: list[str] = []

    def run(self) -> int:
        match self._command.name:
            case "cp":
                return self._copy()
            case "image save" | "export" if self._values["output"]:
                return self._save()
            case "image load" | "image import":
                return self._load()
            case "image build":
                self._settle_build()
            case "run":
                self._settle_run()
        return self._ask(Ends())

    def _ask(self, ends: Ends, provide: Provide | None = None, *, reads: bool = False) -> int:
        return self._send(self._order(ends, reads=reads), ends, provide or self._provide)

    def _copy(self) -> int:
        """Out of a container as an archive, which is unpacked here."""
        from orchestra.stacks.cp import STREAM, split
        from orchestra.stacks.sending import copy_out_here, pack_copy

        source, target = self._values["source"], self._values["destination"]
        service, path = split(source)
        if service is None and source != STREAM:
            with pack_copy(self._context, source, follow=self._values["follow_link"]) as archive:
                return self._ask(Ends(), lambda _path: archive)
        if service is None or split(target)[0] is not None or target == STREAM:
            return self._ask(Ends())
        self._values["destination"] = STREAM
        with tempfile.TemporaryFile() as archive:
            code = self._ask(Ends(output=archive.fileno()))
            if code == 0:
                archive.seek(0)
                copy_out_here(self._context, archive, path, target, _warn, owners=self._values["archive"])
        if code == 0 and self._invocation.shared["progress"] != "quiet":
            print(visible(f"Copied {source} to {target}"), file=sys.stderr)
        return code

    def _save(self) -> int:
        path, self._values["output"] = self._values["output"], None
        with opened_output(path) as file:
            if code := self._ask(Ends(output=file.fileno())):
                raise SystemExit(code)  # so that no part of a file is left
        return code

    def _load(self) -> int:
        """A file of this machine is standard input there."""
        option, none = ("input", None) if self._command.name == "image load" else ("file", "-")
        path = self._values[option]
        if path == none:
            return self._ask(Ends())
        self._values[option] = none
        with open(path, "rb") as file:
            return self._ask(Ends(input=file.fileno()), reads=True)

    def _settle_build(self) -> None:
        values = self._values
        if os.path.exists(values["path"]):
            values["path"] = os.path.abspath(values["path"])
            self._named.append(values["path"])
        if values["dockerfile"] not in (None, "-"):
            values["dockerfile"] = os.path.abspath(values["dockerfile"])
            self._named.append(values["dockerfile"])
        contexts = (text.partition("=") for text in values["contexts"])
        values["contexts"] = [f"{name}={self._name(place)}" for name, _, place in contexts]
        values["secrets"] = [self._settle_secret(text) for text in values["secrets"]]

    def _name(self, place: str) -> str:
        if not os.path.exists(place):
            return place
        self._named.append(os.path.abspath(place))
        return self._named[-1]

    def _settle_secret(self, text: str) -> str:
        parts = [part.partition("=") for part in text.split(",")]
        for index, (name, _, value) in enumerate(parts):
            if name in ("src", "source"):
                self._files.append(os.path.abspath(value))
                parts[index] = (name, "=", self._files[-1])
        return ",".join("".join(part) for part in parts)

    def _settle_run(self) -> None:
        for text in self._values["volumes"]:
            if text.startswith((".", "~")):
                hint = "give an absolute path of that machine, or a named volume"
                raise UserError(f"--volume {text}: relative paths are of this machine, the container is not", hint=hint)
        directory = self._context.working_directory or os.getcwd()
        self._values["env_files"] = [os.path.join(directory, path) for path in self._values["env_files"]]
        self._files += self._values["env_files"]

    @property
    def _services(self) -> tuple[str, ...]:
        given = self._values.get("services") or self._values.get("service") or ()
        return (given,) if isinstance(given, str) else tuple(given)

    def _provide(self, path: str) -> BinaryIO:
        from orchestra.stacks.sending import Stock

        return Stock(self._context, self._services, self._named).open(path)

    def _order(self, ends: Ends, *, reads: bool) -> Order:
        from orchestra.stacks.sending import STANDARD_INPUT, Luggage, pack_luggage

        name = self._command.name
        terminals = tuple(number for number, fd in enumerate(ends) if os.isatty(fd))
        types = {0, 1} <= {*terminals} and name in INTERACTIVE and tty.is_in_foreground(0)
        if not types:
            terminals = tuple(number for number in terminals if number)
        reads = reads or types or (name in READING and not os.isatty(0))
        is_file_needed = reads_file(name) or bool(self._files)
        luggage = pack_luggage(self._context, self._services, self._files) if is_file_needed else Luggage({}, {})
        if STANDARD_INPUT in luggage.files:  # it cannot be read again
            self._context = replace(self._context, files={STANDARD_INPUT: luggage.files[STANDARD_INPUT]})
        size = terminal_size()
        return Order(
            words=words_of(self._invocation, self._command, self._values),
            directory=self._context.working_directory or os.getcwd(),
            files=luggage.files,
            variables=luggage.variables | self._passed_on(),
            display=self._display(),
            terminals=terminals,
            reads=reads,
            rows=size.rows,
            columns=size.columns,
        )

    def _passed_on(self) -> dict[str, str]:
        """Variables that options take from the environment by their names."""
        names: list[Any] = [*self._values.get("env", ()), *self._values.get("arguments", ())]
        for secret in self._values.get("secrets", ()):
            names += [part.removeprefix("env=") for part in secret.split(",") if part.startswith("env=")]
        return {name: value for name in names if (value := os.environ.get(name)) is not None}

    def _display(self) -> dict[str, str]:
        shown = {name: value for name in DISPLAY if (value := os.environ.get(name)) is not None}
        return shown | {name: "1" for key, name in _STATUS.items() if self._invocation.shared[key]}


def _warn(text: str) -> None:
    print(f"warning: {visible(text)}", file=sys.stderr)
