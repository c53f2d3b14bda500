"""The pages say what the program does: every command and every option of the table is on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.cli import table
from orchestra.errors import ComposeError, ComposeFileNotFound

REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference"


@pytest.fixture(scope="module")
def sections():
    """Text by heading of the page of commands."""
    parts = (REFERENCE / "commands.md").read_text().split("\n## ")
    return {part.partition("\n")[0]: part for part in parts}


@pytest.mark.parametrize("command", table.COMMANDS, ids=lambda command: command.name)
def test_every_option_of_a_command_is_on_the_page(sections, command):
    section = sections[command.name]
    for option in command.options:
        for flag in option.flags:
            assert (f"`{flag}`" in section) or option.hidden, f"docs/reference/commands.md: {command.name} lacks {flag}"
        assert option.help in section or option.hidden, (
            f"docs/reference/commands.md: {command.name} says otherwise of {option.name}"
        )
    for argument in command.arguments:
        assert argument.metavar in section


def test_the_page_knows_no_other_commands_and_all_global_options(sections):
    known = {command.name for command in table.COMMANDS}
    assert set(sections) - known == {"# Commands", "Global options", "Who may"}
    for option in table.GLOBAL:
        assert f"`{option.flags[-1]}`" in sections["Global options"]


def test_exit_codes_of_errors_are_in_the_table():
    page = (REFERENCE / "exit-codes.md").read_text()
    for code in (0, 1, 2, ComposeFileNotFound.exit_code, ComposeError.exit_code, 16, 126, 127, 130, 141):
        assert f"\n| {code} | " in page
