"""A run of the tests within a run: its own directory is below the outer one's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.run import PREFIX, Run, current

ROOT = Path(__file__).parent.parent
CONFTEST = """
from tests.conftest import pytest_configure, pytest_sessionfinish
from tests.examples.conftest import busybox_root, write_stack
"""


class Nested:
    """pytest with this suite's own hooks and the fixtures of ``tests.examples`` on the text of one test module."""

    def __init__(self, path: Path, text: str, conftest: str = "") -> None:
        self.path = path
        (path / "conftest.py").write_text(CONFTEST + conftest)
        (path / "test_nested.py").write_text(text)
        self._before = set(current().base.glob(f"{PREFIX}*"))

    def start(self, *options: str, **streams) -> subprocess.Popen:
        chosen = ["-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(self.path)]
        command = [sys.executable, "-m", "pytest", *chosen, *options, str(self.path)]
        return subprocess.Popen(command, cwd=ROOT, text=True, **streams)

    def run(self, *options: str) -> subprocess.CompletedProcess:
        with self.start(*options, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            out, _err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out)

    def runs(self) -> list[Run]:
        """Those that have begun since, and have not passed."""
        return [Run(base) for base in set(current().base.glob(f"{PREFIX}*")) - self._before]
