"""Instructions written down and parsed again are the same."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from orchestra.build import instruction as typed
from orchestra.build.dockerfile import parse_dockerfile
from orchestra.build.here import HereDocument
from orchestra.build.instruction import Argument, CommandLine, Files
from orchestra.build.lines import Line
from orchestra.build.step import Network
from orchestra.record import Record, fields

NO_LINE = Line("", "", (), 1)
CHARACTERS = st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc", "Zs", "Cs", "Cf"])
PLAIN = st.text(CHARACTERS, min_size=1, max_size=8).filter(lambda word: not set(word) & set("\\'\"#<[-="))
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
VALUES = st.just("") | PLAIN | PLAIN.map(lambda word: f'"{word} {word}"') | PLAIN.map(lambda word: f"{word}\\ {word}")
TEXTS = st.lists(PLAIN, min_size=1, max_size=4).map(" ".join)
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
CONTENTS = st.lists(st.text("ab$\\'\"# \t", max_size=6), max_size=3).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)
BOOLEANS = st.booleans()


@st.composite
def documents(draw: st.DrawFn) -> tuple[HereDocument, ...]:
    names = draw(st.lists(st.sampled_from(["EOF", "E2", "x.txt"]), max_size=2, unique=True))
    return tuple(HereDocument(name, draw(CONTENTS), draw(BOOLEANS), draw(BOOLEANS)) for name in names)


@st.composite
def commands(draw: st.DrawFn) -> CommandLine:
    if draw(BOOLEANS):
        return CommandLine(tuple(draw(st.lists(ANY, min_size=1, max_size=3))), False)
    return CommandLine((draw(TEXTS),), True)


@st.composite
def runs(draw: st.DrawFn) -> typed.Run:
    found = draw(documents())
    command = draw(commands())
    if found:
        command = CommandLine((" ".join((draw(PLAIN), *map(opening, found))),), True, found)
    mounts = draw(st.lists(NAMES.map(lambda name: f"type=cache,target=/{name}"), max_size=2))
    return typed.Run(NO_LINE, command, tuple(mounts), draw(st.sampled_from(Network)), draw(BOOLEANS))


@st.composite
def files(draw: st.DrawFn) -> Files:
    found = draw(documents())
    sources = draw(st.lists(PLAIN, min_size=0 if found else 1, max_size=2))
    owner, mode = draw(st.sampled_from(["", "1:2"])), draw(st.sampled_from(["", "755", "u=rw"]))
    return Files(
        tuple(sources), found, draw(PLAIN), owner, mode, draw(BOOLEANS), tuple(draw(st.lists(PLAIN, max_size=2)))
    )


def of(kind: type, *values: st.SearchStrategy) -> st.SearchStrategy:
    return st.builds(kind, st.just(NO_LINE), *values)


PAIRS = st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=3).map(tuple)
OPTIONAL = st.none() | BOOLEANS
DURATIONS = st.integers(0, 10).map(lambda seconds: seconds * 10**9)
INSTRUCTIONS = st.one_of(
    of(typed.Arg, st.lists(st.builds(Argument, NAMES, st.none() | VALUES), min_size=1, max_size=3).map(tuple)),
    of(typed.Env, PAIRS),
    of(typed.Label, PAIRS),
    runs(),
    of(typed.Copy, files(), st.just("") | NAMES, BOOLEANS),
    of(typed.Add, files(), st.just("") | NAMES, OPTIONAL, OPTIONAL),
    of(typed.Workdir, TEXTS),
    of(typed.User, TEXTS),
    of(typed.Volume, st.lists(PLAIN, min_size=1, max_size=3).map(tuple)),
    of(typed.Expose, st.lists(PLAIN, min_size=1, max_size=3).map(sorted).map(tuple)),
    of(typed.Cmd, commands()),
    of(typed.Entrypoint, commands()),
    of(
        typed.Healthcheck,
        st.tuples(st.just("CMD-SHELL"), TEXTS),
        DURATIONS,
        DURATIONS,
        DURATIONS,
        DURATIONS,
        st.integers(0, 9),
    ),
    of(typed.Stopsignal, NAMES),
    of(typed.Shell, st.lists(ANY, min_size=1, max_size=3).map(tuple)),
    of(typed.Onbuild, st.just("RUN x")),
    of(typed.Maintainer, TEXTS),
)


def opening(document: HereDocument) -> str:
    quote = "" if document.expands else "'"
    return f"<<{'-' * document.strips_tabs}{quote}{document.name}{quote}"


def written_command(command: CommandLine) -> str:
    text = command.arguments[0] if command.in_shell else json.dumps(command.arguments)
    return text + "".join(f"\n{document.content}{document.name}" for document in command.documents)


def written_pairs(pairs: tuple[tuple[str, str], ...]) -> str:
    return " ".join(f"{name}={value}" for name, value in pairs)


def flags(**values: object) -> str:
    parts = []
    for name, value in values.items():
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, bool):
                parts.append(f"--{name.replace('_', '-')}={str(one).lower()} ")
            elif one not in (None, "", 0):
                parts.append(f"--{name.replace('_', '-')}={one} ")
    return "".join(parts)


def written_files(one: Files, **more: object) -> str:
    given = flags(chown=one.owner, chmod=one.mode, link=one.link, exclude=one.exclude, **more)
    words = (*one.sources, *map(opening, one.documents), one.destination)
    return f"{given}{' '.join(words)}" + "".join(f"\n{document.content}{document.name}" for document in one.documents)


def written(one: Record) -> str:
    match one:
        case typed.Arg(_, arguments):
            text = " ".join(each.name + ("" if each.default is None else f"={each.default}") for each in arguments)
        case typed.Env(_, pairs) | typed.Label(_, pairs):
            text = written_pairs(pairs)
        case typed.Run(_, command, mounts, network, insecure, devices):
            security = "insecure" if insecure else "sandbox"
            given = flags(mount=mounts, network=network, security=security, device=devices)
            text = given + written_command(command)
        case typed.Copy(_, copied, source, parents):
            text = written_files(copied, parents=parents, **{"from": source})
        case typed.Add(_, added, checksum, keep, unpack):
            text = written_files(added, checksum=checksum, keep_git_dir=keep, unpack=unpack)
        case typed.Healthcheck():
            names = ("interval", "timeout", "start_period", "start_interval")
            durations = {name: f"{getattr(one, name)}ns" for name in names if getattr(one, name)}
            text = f"{flags(**durations, retries=one.retries)}CMD {one.test[1]}"
        case typed.Cmd(_, command) | typed.Entrypoint(_, command):
            text = written_command(command)
        case typed.Shell(_, arguments):
            text = json.dumps(arguments)
        case typed.Volume(_, words) | typed.Expose(_, words):
            text = " ".join(words)
        case _:
            text = str(list(fields(one).values())[1])
    return f"{type(one).__name__.upper()} {text}"


@given(st.lists(INSTRUCTIONS, max_size=5), BOOLEANS)
def test_instructions_come_back_as_they_were(instructions, has_returns):
    text = "\n".join(["FROM a", *map(written, instructions)]) + "\n"
    if has_returns and not any("<<" in written(one) for one in instructions):
        text = text.replace("\n", "\r\n")
    parsed = parse_dockerfile(text).stages[0].instructions
    assert [{**fields(one), "line": NO_LINE} for one in parsed] == [fields(one) for one in instructions]
    assert [type(one) for one in parsed] == [type(one) for one in instructions]
