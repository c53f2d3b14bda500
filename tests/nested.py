"""A run of the tests within a run: its own directory is below the outer one's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.run import Run

ROOT = Path(__file__).parent.parent
CONFTEST = """
import os
from pathlib import Path

import pytest

import tests.conftest
from tests.conftest import pytest_sessionfinish
from tests.examples.conftest import busybox_root, write_stack
from tests.run import VARIABLE


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    tests.conftest.pytest_configure(config)
    Path(__file__).with_name("base").write_text(os.environ[VARIABLE])
"""


class Nested:
    """pytest with this suite's own hooks and the fixtures of ``tests.examples`` on the text of one test module."""

    def __init__(self, path: Path, text: str, conftest: str = "") -> None:
        self.path = path
        (path / "conftest.py").write_text(CONFTEST + conftest)
        (path / "test_nested.py").write_text(text)

    def start(self, *options: str, **streams) -> subprocess.Popen:
        chosen = ["-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(self.path)]
        command = [sys.executable, "-m", "pytest", *chosen, *options, str(self.path)]
        return subprocess.Popen(command, cwd=ROOT, text=True, **streams)

    def run(self, *options: str) -> subprocess.CompletedProcess:
        with self.start(*options, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            out, _err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out)

    def begun(self) -> Run:
        """The run that this has begun. Others may begin theirs beside it in the meantime."""
        return Run(Path((self.path / "base").read_text()))
