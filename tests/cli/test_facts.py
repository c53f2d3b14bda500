"""Every visible option of Docker Compose 5.5 is there, and every command but those that the documentation excepts."""

from __future__ import annotations

from orchestra.cli.usage import NOT_YET
from tools.reference import environment
from tools.reference.compose_flags import missing_commands, missing_options, options, variables


def test_the_facts_are_there():
    assert len(options()["up"]) > 25
    assert "--dry-run" in options()["compose"]


def test_no_option_is_missing():
    assert missing_options() == {}


def test_only_the_converter_is_missing():
    assert missing_commands() == ["bridge"]


def test_a_missing_command_is_known_by_its_name():
    assert set(missing_commands()) <= NOT_YET


def test_a_variable_is_read_or_ignored_for_a_reason():
    read = environment.read()
    assert [name for name in variables() if (name in read) == (name in environment.IGNORED)] == []
