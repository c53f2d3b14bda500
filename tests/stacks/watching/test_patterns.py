"""Which files a rule is about: ``ignore``, ``include``, the build's ``.dockerignore`` and what editors leave."""

from __future__ import annotations

import pytest

from orchestra.stacks.watching.patterns import Patterns
from tests.stacks.watching.conftest import rule


@pytest.mark.parametrize(
    ("path", "ignore", "include", "docker_ignore", "covered"),
    [
        ("", ("**",), (), "", True),
        ("a.py", (), (), "", True),
        ("node_modules", ("node_modules/",), (), "", False),
        ("node_modules/deep/file", ("node_modules/",), (), "", False),
        ("sub/node_modules/file", ("node_modules/",), (), "", True),
        ("sub/node_modules/file", ("**/node_modules",), (), "", False),
        ("logs/keep", ("logs", "!logs/keep"), (), "", True),
        ("logs/other", ("logs", "!logs/keep"), (), "", False),
        ("a.py", (), ("*.py",), "", True),
        ("a.txt", (), ("*.py",), "", False),
        ("sub/a.py", (), ("*.py",), "", False),
        ("sub/a.py", (), ("**/*.py",), "", True),
        ("test_a.py", ("test_*",), ("*.py",), "", False),
        # Relative to the build's context, which is above the rule's path.
        ("cache/file", (), (), "src/cache\n", False),
        ("cache/file", (), (), "cache\n", True),
        ("file.log", (), (), "**/*.log\n", False),
        (".git/HEAD", (), (), "", False),
        ("sub/.git", (), (), "", False),
        (".gitignore", (), (), "", True),
        (".a.py.swp", (), (), "", False),
        ("a.py~", (), (), "", False),
        ("4913", (), (), "", False),
        (".#a.py", (), (), "", False),
        ("#a.py#", (), (), "", False),
        ("a.py___jb_tmp___", (), (), "", False),
    ],
)
def test_what_a_rule_covers(path, ignore, include, docker_ignore, covered):
    watched = rule(path="/project/src", ignore=ignore, include=include, context="/project")
    assert Patterns(watched, docker_ignore).covers(path) is covered


@pytest.mark.parametrize(
    ("path", "ignore", "docker_ignore", "entered"),
    [
        ("", ("**",), "", True),
        ("sub", (), "", True),
        ("node_modules", ("node_modules",), "", False),
        ("logs", ("logs", "!logs/keep"), "", True),
        ("cache", (), "src/cache", False),
        ("cache", (), "src/cache\n!src/cache/keep", True),
        (".git", (), "", False),
    ],
)
def test_an_ignored_directory_is_entered_only_for_an_exception(path, ignore, docker_ignore, entered):
    watched = rule(path="/project/src", ignore=ignore, context="/project")
    assert Patterns(watched, docker_ignore).may_enter(path) is entered


def test_patterns_of_a_build_elsewhere_do_not_matter():
    assert Patterns(rule(path="/other", context="/project"), "**").covers("file")
    assert Patterns(rule(path="/project"), "**").covers("file")
