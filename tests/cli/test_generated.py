"""The quick parser and Typer read every line that the table allows alike; every command explains itself."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.cli import table
from orchestra.cli.parse import parse
from orchestra.cli.table import find_command
from orchestra.cli.typed import application, run_typed
from orchestra.cli.usage import NOT_YET

WORDS = st.sampled_from(["web", "db", "a=b", "x y", "5", "ü", ".", "web-1"])
VALUES = st.one_of(WORDS, st.sampled_from(["-1", "-x", "--", "", "-"]))


@st.composite
def options(draw, offered):
    """Some of the options, each as one or two words, in any order, flags perhaps joined."""
    words = []
    for option in draw(st.lists(st.sampled_from(offered), max_size=4)) if offered else []:
        flag = draw(st.sampled_from(option.flags))
        if option.kind == table.FLAG:
            words.append([flag])
            continue
        if option.choices:
            value = draw(st.sampled_from(option.choices))
        elif option.kind == table.NUMBER:
            value = str(draw(st.integers(-3, 1000)))
        else:
            value = draw(VALUES)
        if flag.startswith("--"):
            words.append([f"{flag}={value}"] if draw(st.booleans()) else [flag, value])
        else:
            words.append([f"{flag}{value}"] if value and draw(st.booleans()) else [flag, value])
    return words


@st.composite
def command_lines(draw):
    command = draw(st.sampled_from(table.COMMANDS))
    line = [word for words in draw(options(table.GLOBAL)) for word in words]
    line += command.name.split()
    pieces = draw(options(command.options))
    if not command.takes_rest:
        if any(argument.many for argument in command.arguments):
            pieces += [[word] for word in draw(st.lists(WORDS, max_size=3))]
        pieces = draw(st.permutations(pieces))
        return line + [word for words in pieces for word in words]
    rest = draw(st.lists(st.one_of(WORDS, VALUES), min_size=1, max_size=4))
    return line + [word for words in pieces for word in words] + [draw(WORDS), *rest]


SEEN = []


def see(invocation):
    SEEN.append(invocation)
    return 0


def typed(line):
    SEEN.clear()
    with pytest.raises(SystemExit):
        application(see)(line, prog_name="orchestra")
    return SEEN[0] if SEEN else None


@settings(max_examples=150, deadline=None)
@given(command_lines())
def test_whatever_the_quick_parser_understands_typer_understands_alike(line):
    quick = parse(line)
    if quick is not None:
        assert quick == typed(line)


@settings(max_examples=100, deadline=None)
@given(command_lines())
def test_what_is_plain_is_understood_without_typer(line):
    """Only odd values are left to it: those that look like options."""
    if not any(word in ("", "-", "--", "-1", "-x") or (word.startswith("-") and "=" in word) for word in line):
        quick = parse(line)
        assert (quick is None) == (typed(line) is None)


@pytest.mark.parametrize("command", table.COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself(command, capsys):
    assert run_typed([*command.name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Usage: orchestra {command.name}" in shown
    assert command.help.split(";")[0] in " ".join(shown.split())
    words = set(re.split(r"[\s,]+", shown))
    for option in command.options:
        for flag in option.flags:
            assert (flag in words) != option.hidden
    for argument in command.arguments:
        assert argument.metavar.strip("[].") in shown


@pytest.mark.parametrize("line", [["--help"], ["-h"], ["system", "--help"], ["system", "-h"], ["system"], []])
def test_the_whole_explains_itself(line, capsys):
    run_typed(line)
    shown = "".join(capsys.readouterr())
    assert "Usage: orchestra" in shown
    for command in table.COMMANDS if "system" not in line else ():
        assert command.name.split()[0] in shown


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (["up", "--nonsense"], "--nonsense"),
        (["nonsense"], "nonsense"),
        (["exec", "web"], "COMMAND"),
        (["up", "--wait-timeout", "soon"], "soon"),
        (["--driver", "docker", "ps"], "docker"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_said_to_on_one_screen(line, word, capsys):
    assert run_typed(line) == 16
    shown = capsys.readouterr()
    assert shown.out == ""
    assert word in shown.err
    assert len(shown.err.splitlines()) <= 8


@pytest.mark.parametrize("word", sorted(NOT_YET))
def test_a_missing_command_of_docker_compose_is_reported_as_such(word, capsys):
    assert find_command(word) is None
    assert run_typed(["-p", "s", word, "web"]) == 16
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: docker compose's command {word} is not available yet\n  hint: ")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (["upp"], "error: no such command: upp\n  hint: did you mean up?\n"),
        (["nonsense"], "error: no such command: nonsense\n  hint: run orchestra --help to list the commands\n"),
        (["up", "--bogus"], "error: no such option: --bogus\n  hint: run orchestra up --help for usage\n"),
        (["image", "foo"], "error: no such command 'foo'\n  hint: run orchestra image --help for usage\n"),
    ],
)
def test_usage_errors_look_like_every_other_error(line, shown, capsys):
    assert run_typed(line) == 16
    assert capsys.readouterr().err == shown
