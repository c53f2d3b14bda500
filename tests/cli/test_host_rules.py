"""A command line that is given on another machine means there what it means here."""

from __future__ import annotations

import shlex

import pytest

from orchestra.cli import table
from orchestra.cli.host_rules import HERE, INTERACTIVE, READING, REFUSED, WITHOUT_FILE, words_of
from orchestra.cli.parse import parse
from orchestra.cli.table import find_command
from tests.cli.test_parse import LINES


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_is_given_again(line):
    invocation = parse(shlex.split(line))
    if invocation is None:
        pytest.skip("it is left to Typer")
    command = find_command(invocation.command)
    invocation.shared["host"] = "ssh://server"
    again = parse(words_of(invocation, command, invocation.values))
    assert again.command == invocation.command
    assert again.values == invocation.values
    kept = {name: value for name, value in invocation.shared.items() if name not in ("host", "no_ansi", "workdir")}
    assert {name: again.shared[name] for name in kept} == kept
    assert again.shared["host"] is None


def test_the_rules_are_about_commands_that_exist():
    names = {command.name for command in table.COMMANDS} | {f"{group} prune" for group in table.GROUPS}
    assert HERE | WITHOUT_FILE | INTERACTIVE | READING | REFUSED.keys() <= names
