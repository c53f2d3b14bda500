"""Every visible option of Docker Compose 5.5 is there, or is on the list of those that are missing, with the reason."""

from __future__ import annotations

from orchestra.cli.usage import NOT_YET
from tools.reference import environment
from tools.reference.compose_flags import MISSING, missing_commands, missing_options, options, variables

LONGEST = 1
"""Options that were missing when this was last changed. It may only become less."""


def test_the_facts_are_there():
    assert len(options()["up"]) > 25
    assert "--dry-run" in options()["compose"]


def test_no_option_is_missing_without_a_reason():
    assert missing_options() == {name: sorted(flags) for name, flags in MISSING.items()}


def test_the_list_of_missing_options_only_shrinks():
    assert sum(map(len, MISSING.values())) <= LONGEST


def test_a_missing_command_is_known_by_its_name():
    assert set(missing_commands()) <= NOT_YET


def test_a_variable_is_read_or_ignored_for_a_reason():
    read = environment.read()
    assert [name for name in variables() if (name in read) == (name in environment.IGNORED)] == []
