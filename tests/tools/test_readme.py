"""What the README shows is what happens, and what it links to exists."""

from __future__ import annotations

import re

import pytest

from tests.examples.conftest import Orchestra, needs_containers
from tools.recording import FRONT_PAGE, PAGE, blocks, record

ROOT = PAGE.parent


def steady(text):
    """Without how long something took or has been, and the blanks that make columns of it."""
    text = re.sub(r"\d+ seconds?|Less than a second|About a minute", "SOME TIME", text)
    return re.sub(r" +", " ", re.sub(r"\d+\.\d+s", "SOME TIME", text))


@pytest.fixture
def stack(tmp_path):
    folder = tmp_path / "hello"
    folder.mkdir()
    stack = Orchestra(folder / "compose.yaml", tmp_path / "home")
    yield stack
    stack.down()


class TestTheTerminalBlock:
    pytestmark = needs_containers

    def test_it_is_what_the_commands_print(self, stack):
        page = PAGE.read_text()
        assert page.count("\n$ orchestra") >= 2
        emptied = re.sub(r"^(?!\$ |```)[^\n]+\n", "", re.search(r"```console\n.*?```", page, re.DOTALL)[0], flags=re.M)
        page_without = re.sub(r"```console\n.*?```", lambda _: emptied, page, flags=re.DOTALL)
        assert page_without != page
        assert steady(record(page_without, stack.home, stack.folder)) == steady(page)


def test_the_site_begins_with_the_same_terminal():
    shown = blocks(FRONT_PAGE.read_text())
    assert "orchestra plan" in shown
    assert shown == blocks(PAGE.read_text())


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / page).read_text())
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_every_page_is_in_the_navigation():
    named = set(re.findall(r'"([^"]+\.md)"', (ROOT / "zensical.toml").read_text()))
    assert named == {str(file.relative_to(ROOT / "docs")) for file in (ROOT / "docs").rglob("*.md")}
