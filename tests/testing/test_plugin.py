"""The plugin of pytest, in runs of pytest of their own."""

from __future__ import annotations

import os
import re

import pytest

import orchestra
from tests.examples.conftest import needs_containers

pytest_plugins = "pytester"
pytestmark = needs_containers

STACK = """
services:
  web:
    image: "rootfs:{root}"
    command: sh -c 'echo ready; trap "exit 0" TERM; while true; do sleep 0.1; done'
"""
FAKE = """
services:
  shop: {image: shop}
"""
TESTS = """
import pytest

def test_passes(stack):
    stack.wait_for_log("web", "ready")
    with open("names", "a") as file: file.write(f"{stack.name}\\n")

def test_fails(stack):
    stack.exec("web", ["sh", "-c", "echo trouble > /proc/1/fd/1"], check=True)
    stack.wait_for_log("web", "trouble")
    assert stack.name == "other"
"""
MARKED = """
import pytest

@pytest.mark.orchestra("shops/two.yaml", driver="fake", scale={"shop": 2})
def test_two(stack):
    assert len(stack.containers()) == 2

@pytest.mark.orchestra("shops/two.yaml", driver="fake", unique=False, name="kept")
def test_one(stack):
    assert stack.name == "kept"
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ORCHESTRA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def folder(pytester):
    """Where the inner tests are. Whatever this run of pytest is told is no matter of theirs."""
    pytester.makeini("[pytest]")
    return pytester.path


def run(pytester, *arguments):
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def stacks(home):
    return os.listdir(home / "data/stacks") if (home / "data/stacks").exists() else []


def test_each_worker_has_a_stack_of_its_own_and_a_failure_shows_its_logs(pytester, home, folder, busybox_root):
    (folder / "compose.yaml").write_text(STACK.format(root=busybox_root))
    pytester.makepyfile(test_first=TESTS, test_second=TESTS)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile", timeout=100)
    result.assert_outcomes(passed=2, failed=2)
    names = (folder / "names").read_text().split()
    assert len(set(names)) == 2
    text = result.stdout.str()
    for name in names:
        shown = re.search(rf"-+ stack {name} -+\n((?:.+\n)*)", text)
        assert shown, text
        assert shown[1].startswith(f"{name}-web-1: running\n{name}-web-1 | trouble\n"), shown[1]
    assert stacks(home) == []


def test_a_marker_names_files_and_options_and_stacks_may_be_kept(pytester, home, folder):
    pytester.makeini("[pytest]\norchestra_scope = function")
    (folder / "shops").mkdir()
    (folder / "shops/two.yaml").write_text(FAKE)
    pytester.makepyfile(test_marked=MARKED)
    run(pytester).assert_outcomes(passed=2)
    assert stacks(home) == []
    run(pytester, "--keep-stacks", "-k", "test_one").assert_outcomes(passed=1)
    assert stacks(home) == ["kept"]
    with orchestra.up(folder / "shops/two.yaml", name="kept", driver="fake") as stack:
        assert stack.containers()[0].runs


def test_a_stack_that_does_not_come_up_is_an_error_with_the_reason(pytester, home, folder):
    (folder / "compose.yaml").write_text("services: {web: {imag: x}}")
    pytester.makepyfile(test_first=TESTS)
    result = run(pytester)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["E*ComposeError: unknown key imag in services.web"])


def test_a_marker_without_effect_and_a_wrong_setting_are_refused(pytester, folder):
    pytester.makepyfile(test_marked=MARKED)
    result = run(pytester)
    result.stderr.fnmatch_lines(["*test_two: its marker 'orchestra' has no effect, *"])
    pytester.makeini("[pytest]\norchestra_scope = week")
    result = run(pytester)
    assert "orchestra_scope = week: must be one of function, class, module" in result.stdout.str() + result.stderr.str()
