"""Manual pages say what the table says, and both renderers take them without a warning."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra.cli import table
from orchestra.cli.examples import EXAMPLES
from tools.manual import markdown
from tools.manual.pages import render_pages
from tools.manual.prose import read_sections
from tools.reference.environment import TABLES
from tools.reference.exit_codes import MEANINGS

ROOT = Path(__file__).parent.parent.parent
PAGES = render_pages("2026-01-31")
COMMANDS = {f"orchestra-{command.name.replace(' ', '-')}.1": command for command in table.COMMANDS}


def run(*command):
    environment = os.environ | {"MANWIDTH": "80", "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages as files, as ``make man`` writes them."""
    directory = tmp_path_factory.mktemp("man") / "man1"
    done = run(sys.executable, "-m", "tools.manual", str(directory))
    assert done.returncode == 0, done.stderr
    return directory


def rendered(path):
    """The text of a page, its lines joined."""
    done = run("mandoc", "-T", "ascii", "-O", "width=200", str(path))
    return " ".join(re.sub(".\b", "", done.stdout).split())


def test_there_is_a_page_for_everything(pages):
    groups = {f"orchestra-{name}.1" for name in table.GROUPS}
    assert set(PAGES) == {"orchestra.1", *groups, *COMMANDS} == {path.name for path in pages.iterdir()}


@pytest.mark.parametrize("name", PAGES)
def test_mandoc_finds_nothing_wrong(pages, name):
    need("mandoc")
    done = run("mandoc", "-T", "lint", "-W", "warning", str(pages / name))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "name", ["orchestra.1", "orchestra-up.1", "orchestra-image.1", "orchestra-exec.1", "orchestra-image-import.1"]
)
def test_man_finds_nothing_wrong(pages, name):
    need("groff")
    need("man")
    done = run("man", "--warnings=w", "--local-file", str(pages / name))
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, re.sub(".\b", "", done.stdout).splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_every_option_argument_and_example(pages, name):
    need("mandoc")
    text, command = rendered(pages / name), COMMANDS[name]
    assert f"{name.removesuffix('.1')} - " in text
    for option in command.options:
        for flag in option.flags:
            assert (re.search(rf"(?<![\w-]){flag}(?![\w-])", text.partition(" OPTIONS ")[2]) is None) == option.hidden
        assert option.hidden or option.help in text
    for argument in command.arguments:
        assert f"{argument.metavar} {argument.help}" in text
    for example in EXAMPLES[command.name]:
        assert f"{example.meaning}: {example.command_line}" in text


def test_the_first_page_has_what_all_commands_share(pages):
    need("mandoc")
    text = rendered(pages / "orchestra.1")
    for option in table.GLOBAL:
        assert ", ".join(option.flags) in text
        assert option.help in text
    for command in table.COMMANDS:
        assert f"orchestra-{command.name.split()[0]}(1)" in text


def test_the_first_page_has_every_exit_code_and_variable(pages):
    need("mandoc")
    text = rendered(pages / "orchestra.1")
    codes = text.partition(" EXIT STATUS ")[2].partition(" ENVIRONMENT ")[0]
    assert all(re.search(rf"(^| ){code} ", codes) for code in MEANINGS)
    assert all(f" {name} " in text for table in ("orchestra", "compose", "registries") for name in TABLES[table])


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_says_what_the_reference_says(pages, name):
    need("mandoc")
    text, prose = rendered(pages / name), read_sections()[COMMANDS[name].name]
    assert prose
    for sentence in re.findall(r"^[A-Z][^`*|\[\]\n]{20,}$", prose, re.MULTILINE):
        assert sentence in text


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("A `b -c` and *d*.", ".PP\nA \\fBb \\-c\\fR and \\fId\\fR.\n"),
        ("[`up`](#up), [Go](https://go.dev)", ".PP\n\\fBup\\fR, Go <https://go.dev>\n"),
        ("Two\nlines", ".PP\nTwo lines\n"),
        ("- one\n- and\n  two", ".IP \\(bu 2\none\n.IP \\(bu 2\nand two\n"),
        ("    .hidden\n    b", ".PP\n.RS 4\n.nf\n\\&.hidden\nb\n.fi\n.RE\n"),
        ("| a | b |\n|---|---|\n| `x \\| y` | is z |", ".TP\n\\fBx | y\\fR\nis z.\n"),
        ("| a | b | c |\n|---|---|---|\n| x | y | |\n| x | y | z |", ".TP\nx\nb: y.\n.TP\nx\nb: y; c: z.\n"),
    ],
)
def test_markdown_becomes_roff(written, expected):
    assert markdown.render(written) == expected


def test_pages_are_the_same_for_the_same_date(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    run(sys.executable, "-m", "tools.manual", str(tmp_path))
    assert (tmp_path / "orchestra.1").read_text() == render_pages("1970-01-02")["orchestra.1"]
