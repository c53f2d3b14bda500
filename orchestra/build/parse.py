"""The text of one instruction to its type. The table at the end has a row for each instruction."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestra.build import instruction as typed
from orchestra.build.flags import Flags
from orchestra.build.here import parse_opening
from orchestra.build.problem import Wrong
from orchestra.build.step import Network
from orchestra.build.words import Word, parse_json_array, split_flags, split_name, split_quoted, split_spaces
from orchestra.nearest import suggest
from orchestra.regex import regex
from orchestra.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.build.lines import Line

_STAGE_NAME = regex(r"[a-z][a-z0-9._-]*")
_ONBUILD = regex(r"\s*ONBUILD\s*", re.IGNORECASE)
_KEYWORD = regex(r"\s*([^\t\v\f\r ]+)")
_NO_TRIGGERS = frozenset({"ONBUILD", "FROM", "MAINTAINER"})
_FILE_FLAGS = ("chown", "chmod", "link")
_SHORTEST = 1_000_000
"""A health check's durations are at least a millisecond, in nanoseconds."""


class _Source:
    """The instruction that is being parsed."""

    def __init__(self, line: Line, escape: str) -> None:
        self.line = line
        self.text = line.text
        self.escape = escape
        match = _KEYWORD.match(line.text)
        self.written, self.after = (match[1], match.end()) if match else (line.text, len(line.text))
        self.keyword = self.written.upper()
        self.flag_words, self.start = split_flags(line.text, self.after)

    @property
    def rest(self) -> str:
        """The arguments, without flags."""
        return self.text[self.start :].strip()

    def flags(self, *known: str, repeatable: tuple[str, ...] = ()) -> Flags:
        return Flags(self.keyword, self.flag_words, known, repeatable)

    def spaced(self) -> list[Word]:
        return split_spaces(self.text, self.start)

    def list(self) -> list[Word]:
        """A JSON array, or words between spaces."""
        values = parse_json_array(self.text, self.start)
        if values is None:
            return self.spaced()
        return [Word(value, (self.start, len(self.text))) for value in values]

    def one(self) -> str:
        """All of the arguments as one."""
        if not self.rest:
            raise Wrong(f"{self.keyword} requires exactly one argument")
        return self.rest

    def at_least_one(self) -> Wrong:
        return Wrong(f"{self.keyword} requires at least one argument")

    def command(self) -> typed.CommandLine:
        values = parse_json_array(self.text, self.start)
        if values is not None:
            return typed.CommandLine(tuple(values), in_shell=False)
        return typed.CommandLine((self.rest,) if self.rest else (), in_shell=True, documents=self.line.documents)


def parse_instruction(line: Line, escape: str) -> typed.From | typed.Instruction:
    """escape: the character of the parser directive. Raises Wrong."""
    source = _Source(line, escape)
    parser = _PARSERS.get(source.keyword)
    if parser is None:
        part = (source.after - len(source.written), source.after)
        raise Wrong(f"unknown instruction: {source.written}", suggest(source.keyword, _PARSERS, "instructions"), part)
    return parser(source)


def _from(source: _Source) -> typed.From:
    words = source.spaced()
    platform = source.flags("platform").text("platform")
    if len(words) == 1:
        return typed.From(source.line, words[0].text, platform=platform)
    if len(words) != 3 or words[1].text.lower() != "as":
        part = words[1].part if len(words) > 1 else None
        raise Wrong("FROM requires either one or three arguments", "write FROM IMAGE [AS NAME]", part)
    name = words[2].text.lower()
    if not _STAGE_NAME.fullmatch(name):
        raise Wrong(
            f'invalid name for build stage: "{words[2].text}", name can\'t start with a number or contain symbols',
            "a name consists of letters, digits, -, _ and .",
            words[2].part,
        )
    return typed.From(source.line, words[0].text, name, platform, words[2].text, words[1].text)


def _arg(source: _Source) -> typed.Arg:
    source.flags()
    words = split_quoted(source.text, source.start, source.escape)
    if not words:
        raise source.at_least_one()
    found: list[typed.Argument] = []
    for word in words:
        name, equals, value = word.text.partition("=")
        if not name:
            raise Wrong("ARG names can not be blank", "", word.part)
        found.append(typed.Argument(name, value if equals else None))
    return typed.Arg(source.line, tuple(found))


def _env(source: _Source) -> typed.Env:
    return typed.Env(source.line, *_pairs(source))


def _label(source: _Source) -> typed.Label:
    return typed.Label(source.line, *_pairs(source))


def _pairs(source: _Source) -> tuple[tuple[tuple[str, str], ...], bool]:
    source.flags()
    words = split_quoted(source.text, source.start, source.escape)
    if not words:
        raise source.at_least_one()
    if "=" not in words[0].text:
        pair = split_name(source.rest)
        if pair is None:
            raise Wrong(
                f"{source.keyword} must have two arguments", f"write {source.keyword} NAME=VALUE", words[0].part
            )
        return (pair,), True
    pairs: list[tuple[str, str]] = []
    for word in words:
        name, equals, value = word.text.partition("=")
        if not equals:
            raise Wrong(
                f'Syntax error - can\'t find = in "{word.text}". Must be of the form: name=value',
                "put quotes around a value with spaces",
                word.part,
            )
        if not name:
            raise Wrong(f"{source.keyword} names can not be blank", "", word.part)
        pairs.append((name, value))
    return tuple(pairs), False


def _run(source: _Source) -> typed.Run:
    flags = source.flags("network", "security", repeatable=("mount", "device"))
    command = source.command()
    if not command.arguments:
        raise source.at_least_one()
    network = _choice(flags, "network", tuple(Network))
    security = _choice(flags, "security", ("sandbox", "insecure"))
    return typed.Run(
        source.line,
        command,
        flags.values("mount"),
        Network(network) if network else Network.DEFAULT,
        security == "insecure",
        flags.values("device"),
    )


def _choice(flags: Flags, name: str, known: tuple[str, ...]) -> str:
    value = flags.text(name)
    if flags.part(name) and value not in known:
        raise Wrong(f"{name} {value!r} is not valid", suggest(value, known, "values"), flags.part(name))
    return value


def _files(source: _Source, flags: Flags) -> typed.Files:
    words = source.list()
    if len(words) < 2:
        raise Wrong(
            f"{source.keyword} requires at least two arguments, but only {len(words)} was provided. Destination could"
            " not be determined.",
            f"write {source.keyword} SOURCE DESTINATION",
        )
    *sources, destination = words
    if parse_opening(destination.text):
        raise Wrong(f"{source.keyword} cannot accept a heredoc as a destination", "", destination.part)
    documents = {document.name: document for document in source.line.documents}
    opened = {word: parse_opening(word.text) for word in sources} if documents else {}
    return typed.Files(
        tuple(word.text for word in sources if not opened.get(word)),
        tuple(documents[opening.name] for word in sources if (opening := opened.get(word))),
        destination.text,
        flags.text("chown"),
        flags.text("chmod"),
        flags.boolean("link") or False,
        flags.values("exclude"),
    )


def _copy(source: _Source) -> typed.Copy:
    flags = source.flags(*_FILE_FLAGS, "from", "parents", repeatable=("exclude",))
    files = _files(source, flags)
    return typed.Copy(source.line, files, flags.text("from"), flags.boolean("parents") or False)


def _add(source: _Source) -> typed.Add:
    flags = source.flags(*_FILE_FLAGS, "checksum", "keep-git-dir", "unpack", repeatable=("exclude",))
    files = _files(source, flags)
    keep, unpack = flags.boolean("keep-git-dir"), flags.boolean("unpack")
    return typed.Add(source.line, files, flags.text("checksum"), keep, unpack)


def _workdir(source: _Source) -> typed.Workdir:
    source.flags()
    return typed.Workdir(source.line, source.one())


def _user(source: _Source) -> typed.User:
    source.flags()
    return typed.User(source.line, source.one())


def _volume(source: _Source) -> typed.Volume:
    source.flags()
    words = source.list()
    if not words:
        raise source.at_least_one()
    for word in words:
        if not word.text.strip():
            raise Wrong("VOLUME specified can not be an empty string", "", word.part)
    return typed.Volume(source.line, tuple(word.text.strip() for word in words))


def _expose(source: _Source) -> typed.Expose:
    source.flags()
    words = source.spaced()
    if not words:
        raise source.at_least_one()
    return typed.Expose(source.line, tuple(sorted(word.text for word in words)))


def _cmd(source: _Source) -> typed.Cmd:
    source.flags()
    return typed.Cmd(source.line, source.command())


def _entrypoint(source: _Source) -> typed.Entrypoint:
    source.flags()
    return typed.Entrypoint(source.line, source.command())


def _healthcheck(source: _Source) -> typed.Healthcheck:
    words = source.spaced()
    if not words:
        raise source.at_least_one()
    kind = words[0].text.upper()
    if kind == "NONE":
        source.flags()
        if len(words) > 1:
            raise Wrong("HEALTHCHECK NONE takes no arguments", "", words[1].part)
        return typed.Healthcheck(source.line, ("NONE",))
    flags = source.flags("interval", "timeout", "start-period", "start-interval", "retries")
    if kind != "CMD":
        raise Wrong(f'unknown type "{words[0].text}" in HEALTHCHECK (try CMD)', "write CMD or NONE", words[0].part)
    source.start = words[0].part[1]
    command = source.command()
    if not command.arguments:
        raise Wrong("missing command after HEALTHCHECK CMD")
    return typed.Healthcheck(
        source.line,
        ("CMD-SHELL" if command.in_shell else "CMD", *command.arguments),
        interval=_duration(flags, "interval"),
        timeout=_duration(flags, "timeout"),
        start_period=_duration(flags, "start-period"),
        start_interval=_duration(flags, "start-interval"),
        retries=_retries(flags),
    )


def _duration(flags: Flags, name: str) -> int:
    text = flags.text(name)
    if not text:
        return 0
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise Wrong(str(error), "", flags.part(name)) from None
    if duration and duration < _SHORTEST:
        raise Wrong(f'interval "{name}" cannot be less than 1ms', "", flags.part(name))
    return int(duration)


def _retries(flags: Flags) -> int:
    text = flags.text("retries")
    if not text:
        return 0
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        raise Wrong(f"--retries is not a number: {text}", "", flags.part("retries"))
    if int(text) < 0:
        raise Wrong(f"--retries cannot be negative ({text})", "", flags.part("retries"))
    return int(text)


def _stopsignal(source: _Source) -> typed.Stopsignal:
    source.flags()
    return typed.Stopsignal(source.line, source.one())


def _shell(source: _Source) -> typed.Shell:
    source.flags()
    values = parse_json_array(source.text, source.start)
    if values is None and source.rest:
        raise Wrong("SHELL requires the arguments to be in JSON form", 'as in SHELL ["/bin/bash", "-c"]')
    if not values:
        raise source.at_least_one()
    return typed.Shell(source.line, tuple(values))


def _onbuild(source: _Source) -> typed.Onbuild:
    source.flags()
    words = source.spaced()
    if not words:
        raise source.at_least_one()
    trigger = words[0].text.upper()
    if trigger == "ONBUILD":
        raise Wrong("chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", "", words[0].part)
    if trigger in _NO_TRIGGERS:
        raise Wrong(f"{trigger} isn't allowed as an ONBUILD trigger", "", words[0].part)
    if trigger not in _PARSERS:
        raise Wrong(f"unknown instruction: {words[0].text}", suggest(trigger, _PARSERS, "instructions"), words[0].part)
    documents = "".join(f"\n{document.content}{document.name}" for document in source.line.documents)
    return typed.Onbuild(source.line, _ONBUILD.sub("", source.text, count=1) + documents)


def _maintainer(source: _Source) -> typed.Maintainer:
    source.flags()
    return typed.Maintainer(source.line, source.one())


_PARSERS: dict[str, Callable[[_Source], typed.From | typed.Instruction]] = {
    "ADD": _add,
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": _copy,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "FROM": _from,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "RUN": _run,
    "SHELL": _shell,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
