"""The reference is what the sources say: its generated parts are up to date, and its hand-written ones complete."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest

import orchestra
from orchestra.cli import table
from tools.reference import commands, environment, exit_codes, marks
from tools.reference.pages import FOLDER, PAGES
from tools.reference.variables import read_variables


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_up_to_date(page):
    text = page.read_text()
    assert PAGES[page](text) == text, "run make reference"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_generated_part_of_a_page_is_renewed(page):
    text = page.read_text()
    emptied = re.sub(r"(<!-- generated: .+? -->).*?(?=<!-- end -->)", r"\1\n\n", text, flags=re.DOTALL)
    assert emptied != text
    assert PAGES[page](emptied) == text


def test_every_command_and_option_is_on_the_page():
    page = (FOLDER / "commands.md").read_text()
    for command in table.COMMANDS:
        section = page.partition(f"\n## {command.name}\n")[2].partition("\n## ")[0]
        assert command.help in section
        for option in command.options:
            assert all(f"`{flag}`" in section for flag in option.flags) or option.hidden
        assert all(argument.metavar in section for argument in command.arguments)


def test_a_command_without_a_section_is_given_one():
    page = (FOLDER / "commands.md").read_text()
    before, _, rest = page.partition("\n## ps\n")
    renewed = commands.renew(f"{before}\n## {rest.partition(chr(10) + '## ')[2]}")
    assert "    orchestra ps [OPTIONS] [SERVICE]..." in renewed
    assert "| `-q`, `--quiet` |" in renewed.partition("\n## ps\n")[2].partition("\n## ")[0]


def test_a_section_of_a_command_that_is_gone_is_an_error():
    page = (FOLDER / "commands.md").read_text() + marks.block("unknown: usage", "x")
    with pytest.raises(ValueError, match="unknown: usage"):
        commands.renew(page)


def test_every_variable_that_is_read_is_documented():
    assert environment.read() == environment.documented()


def test_variables_are_found_however_they_are_read(tmp_path):
    (tmp_path / "one.py").write_text('NAME = "A"\nimport os\nos.environ[NAME]\nos.environ.get("B", "")\n')
    (tmp_path / "two.py").write_text('from one import NAME\n"C" in os.environ\nself.environment.lookup("D")\n')
    (tmp_path / "three.py").write_text('other.get("E")\nenvironment.pop(NAME)\n')
    assert read_variables(tmp_path) == {
        "A": {"one.py", "three.py"},
        "B": {"one.py"},
        "C": {"two.py"},
        "D": {"two.py"},
    }


def test_every_exit_code_of_an_error_is_in_the_table():
    for module in pkgutil.walk_packages(orchestra.__path__, "orchestra."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert exit_codes.of_errors() <= exit_codes.MEANINGS.keys()
