"""What stands at the cursor, and what bash calls a word."""

from __future__ import annotations

import pytest

from orchestra.cli import table
from orchestra.cli.complete.line import Line, split_line
from orchestra.cli.complete.spot import Choice, Value, find_spot
from orchestra.cli.complete.words import SOURCES

BREAKS = " \t\n\"'@><=;|&(:"
# Of what nothing is known before it is typed.
FREE = frozenset(
    {"SECONDS", "NUM", "LINES", "TIME", "USER[:GROUP]", "NAME=VALUE", "COMMAND", "FORMAT", "OS/ARCH[/VARIANT]", "TEXT"}
    | {"INSTRUCTION", "TARGET", "NAME", "DIR", "PRIVATE_PORT", "PROTOCOL", "STATE", "status=STATE", "name=PATTERN"}
    | {"REPOSITORY[:TAG", "KEY=VALUE", "label=LABEL", "HOST:CONTAINER", "KEYS"}
    | {"BYTES", "NAME=ADDRESS", "CIDR", "STAGE", "NUMBER", "ADDRESS", "CACHE", "NAME:ADDRESS", "NAME=DIR|IMAGE"}
    | {"default|ID[=SOCKET|KEY,…]", "id=ID[,src=FILE|,env=NAME]", "OS/ARCH[/VARIANT],…", "true|mode=min,…"}
    | {"ADDRESS:PORT", "URL", "ADDRESS:PORT|unix:PATH", "true|false", "type=provenance|sbom,…", "SEED"}
)


def choices(line):
    *words, current = line.split(" ")
    kind = find_spot(words, current).kind
    assert isinstance(kind, Choice)
    return set(kind.meanings)


@pytest.mark.parametrize("command", table.COMMANDS, ids=lambda command: command.name)
def test_it_is_known_of_every_value_where_it_comes_from(command):
    values = [(each.name, each.metavar) for each in command.options if each.kind != table.FLAG and not each.choices]
    values += [(each.name, each.metavar.strip("[].")) for each in command.arguments if not each.choices]
    for name, metavar in values:
        assert name in SOURCES or metavar in SOURCES or metavar in FREE, (
            f"{metavar} of {command.name}: add it to orchestra/cli/complete/words.py, or to FREE here"
        )


@pytest.mark.parametrize("command", table.COMMANDS, ids=lambda command: command.name)
def test_every_option_that_is_not_hidden_is_offered(command):
    flags = {flag for option in command.options if not option.hidden for flag in option.flags}
    assert choices(f"{command.name} -") == flags | {"-h", "--help"}


def test_commands_come_first_and_second():
    assert choices("") == {command.name.split()[0] for command in table.COMMANDS}
    assert choices("-p s --debug ") == choices("")
    assert "prune" in choices("system ")
    assert choices("nonsense ") == set()
    assert choices("image nonsense ") == set()


def test_an_option_is_offered_again_only_if_it_takes_several():
    assert {"-d", "--detach"} & choices("up -d -") == set()
    assert "--scale" in choices("up --scale web=2 -")
    assert "-f" in choices("-f one.yaml -")


@pytest.mark.parametrize("line", ["up --pull ", "up --pull a", "up web --pull "])
def test_values_of_a_few_words_are_choices(line):
    assert choices(line) == {"always", "missing", "never", "policy"}


def test_a_value_may_follow_an_equals_sign():
    spot = find_spot(["up"], "--pull=al")
    assert (spot.before, spot.begun) == ("--pull=", "al")
    assert choices("up --detach=") == set()
    assert choices("up --bogus=") == set()


def test_arguments_know_what_was_named_before():
    assert find_spot(["up", "-d", "web"], "").kind == Value("services", "SERVICE", ("web",))
    assert find_spot(["exec", "-T"], "w").kind == Value("service", "SERVICE")
    assert find_spot(["exec", "web"], "").kind == Value("command", "COMMAND", earlier=("web",))
    assert find_spot(["exec", "web", "ls"], "-").kind == Value("command", "COMMAND", ("ls",), ("web",))
    assert find_spot(["up", "--"], "-").kind == Value("services", "SERVICE")
    assert choices("completion ") == {"bash", "zsh", "fish"}
    assert choices("completion bash ") == set()
    assert choices("help ") == choices("")
    assert choices("help image ") == choices("image ")
    assert choices("help image ls ") == choices("help up ") == set()


def test_global_options_are_kept():
    assert find_spot(["-f", "a", "-p", "s", "up"], "").shared["files"] == ["a"]


@pytest.mark.parametrize(
    ("line", "words", "current", "cut"),
    [
        ("o up", ("o",), "up", 0),
        ("o up ", ("o", "up"), "", 0),
        ('o -f \'a b\' "c\\"d" e\\ f', ("o", "-f", "a b", 'c"d'), "e f", 0),
        ("o --pull=al", ("o",), "--pull=al", 7),
        ("o image rm localhost:50", ("o", "image", "rm"), "localhost:50", 10),
        ("o image rm 'localhost:50", ("o", "image", "rm"), "localhost:50", 0),
        ("o -p '' x", ("o", "-p", ""), "x", 0),
        ("o --pull='al", ("o",), "--pull=al", 7),
        ("", (), "", 0),
        ("o a\\", ("o",), "a", 0),
    ],
)
def test_a_line_is_split_as_bash_splits_it(line, words, current, cut):
    assert split_line(line, BREAKS) == Line(words, current, cut)
