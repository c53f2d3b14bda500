"""The installed command on real stacks. Each test has its own home, and its stacks are taken down at its end.

CONTRIBUTING.md ("A test with a stack of its own") shows how to use this.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import plain, warm
from tests.examples.images import write_busybox_root
from tests.ports import free_port as free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

needs_containers = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.timeout(120),
]
"""``pytestmark`` of a file whose tests make containers."""

STACKS = Path(__file__).parent.parent.parent / "examples" / "stacks"


def eventually(question, seconds=30.0):
    """The first true answer. ``OSError`` and ``ValueError`` mean "not yet"; fails with the last of them.

    A question may be a whole command. It pauses twice as long as the last took, or all workers would be busy asking.
    """
    deadline = time.monotonic() + seconds
    last = None
    while (asked := time.monotonic()) < deadline:
        try:
            if answer := question():
                return answer
        except (OSError, ValueError) as error:
            last = error
        time.sleep(max(0.02, 2 * (time.monotonic() - asked)))
    raise AssertionError(f"not within {seconds} s: {last}")


GIVEN: list[Path] = []
"""The directory of the test, if a user without root types its commands."""


@pytest.fixture(autouse=plain.is_wanted())
def given(tmp_path) -> Iterator[None]:
    GIVEN[:] = [tmp_path]
    yield
    GIVEN.clear()


class Orchestra:
    """The command line on one Compose file. file: its path, in a folder of its own, whose name is the stack's."""

    def __init__(self, file: Path, home: Path, **environment: str) -> None:
        self.file = file
        self.home = home
        self.environment = os.environ | {"ORCHESTRA_HOME": str(home), "NO_COLOR": "1"} | environment

    @property
    def folder(self) -> Path:
        return self.file.parent

    def write(self, text: str) -> None:
        """Replace the Compose file."""
        self.file.write_text(text)

    def start(self, *arguments: str, **options) -> subprocess.Popen:
        """Begin a command. options: of ``subprocess.Popen``; the caller waits for it, or kills it."""
        return self._popen(["-f", str(self.file), *arguments], **{"env": self.environment, "text": True} | options)

    def _popen(self, words: list[str], **options) -> subprocess.Popen:
        if not plain.is_wanted():
            return warm.popen(words, **options)
        user = plain.of_the_run()
        options["env"] = options["env"] | dict(variable.split("=", 1) for variable in user.variables)
        self.home.mkdir(exist_ok=True)
        user.give(self.folder, self.home, *GIVEN)
        before = user.becoming(options.pop("cwd", os.getcwd()))
        return subprocess.Popen([*before, sys.executable, "-m", "orchestra", *words], **options)

    def run(self, *arguments: str, code: int | None = 0, seconds: float = 60) -> subprocess.CompletedProcess:
        """Run a command to its end. code: the exit code it must have, or None for any.

        A command that does not end within that time fails the test, and is killed.
        """
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with self.start(*arguments, **pipes) as process:
            try:
                out, err = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired as error:
                process.kill()
                seen = b"".join(filter(None, (error.stdout, error.stderr))).decode(errors="replace")
                pytest.fail(f"{arguments}: no end within {seconds:g} s\n{seen}\n{self.trouble()}")
            finally:
                process.kill()
        done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        if code is not None:
            assert done.returncode == code, f"{arguments}: exit code {done.returncode}\n{out}\n{err}\n{self.trouble()}"
        return done

    def containers(self) -> dict[str, dict]:
        """Rows of ``ps -a`` by service; of a service with several containers, the last."""
        lines = self.run("ps", "-a", "--format", "json").stdout.splitlines()
        return {row["Service"]: row for row in map(json.loads, lines)}

    def states(self) -> dict[str, str]:
        """``State`` of ``ps -a`` by service: ``{"web": "running", "job": "exited"}``."""
        return {service: row["State"] for service, row in self.containers().items()}

    def down(self) -> None:
        """Remove every stack of this home at once, whatever became of its file."""
        stacks = {path.name for path in (*self.home.glob("run/stacks/*"), *self.home.glob("data/stacks/*"))}
        for name in stacks:
            command = ["-p", name, "down", "-v", "-t", "0", "--remove-orphans"]
            streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
            with self._popen(command, env=self.environment, cwd=self.home, **streams) as process:
                try:
                    process.communicate(timeout=45)
                except subprocess.TimeoutExpired as error:
                    process.kill()
                    pytest.fail(f"{error}\n{error.stderr}\n{self.trouble()}")

    def trouble(self) -> str:
        """What the supervisors of this home wrote, for the report of a failed test."""
        logs = self.home.glob("data/stacks/*/supervisor.log")
        return "\n".join(log.read_text(errors="replace")[-3000:] for log in logs)


class Stack(Orchestra):
    """An ``Orchestra`` whose file may name the image ``rootfs:BUSYBOX``."""

    def __init__(self, file: Path, home: Path, busybox_root: Path, **environment: str) -> None:
        super().__init__(file, home, **environment)
        self.busybox_root = busybox_root

    def write(self, text: str) -> None:
        super().write(text.replace("rootfs:BUSYBOX", f"rootfs:{self.busybox_root}"))


def http(port: int, method: str, path: str, value: object = None):
    """The decoded JSON answer. Raises OSError when there is none, or when it is not one of success."""
    data = None if value is None else json.dumps(value).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        error.close()
        raise


@pytest.fixture
def stack(tmp_path):
    """A factory: the name of an example gives the command line on a copy of it. All are taken down at the end."""
    with ExitStack() as ending:

        def make(name: str, **environment: str) -> Orchestra:
            folder = tmp_path / name
            shutil.copytree(STACKS / name, folder, ignore=shutil.ignore_patterns("data", "images"))
            orchestra = Orchestra(folder / "compose.yaml", tmp_path / "home", **environment)
            ending.callback(orchestra.run, "down", "-v", "-t", "1", "--remove-orphans")
            return orchestra

        yield make


@pytest.fixture(scope="session")
def busybox_root(tmp_path_factory) -> Path:
    """A root file system that holds busybox with all of its applets, ``/etc/passwd`` and ``/etc/group``."""
    root = write_busybox_root(tmp_path_factory.mktemp("busybox"))
    if plain.is_wanted():
        plain.of_the_run().give(root)
    return root


@contextmanager
def stacks_in(path: Path, busybox_root: Path) -> Iterator[Callable[..., Stack]]:
    """What ``write_stack`` gives. path: of the home and the folders of the stacks."""
    with ExitStack() as ending:

        def make(text: str, name: str = "stack", files: Mapping[str, str] | None = None, **environment: str) -> Stack:
            folder = path / name
            folder.mkdir(exist_ok=True)
            for file, content in (files or {}).items():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_text(content)
            orchestra = Stack(folder / "compose.yaml", path / "home", busybox_root, **environment)
            orchestra.write(text)
            ending.callback(orchestra.down)
            return orchestra

        yield make


@pytest.fixture
def write_stack(tmp_path, busybox_root):
    """A factory: the text of a Compose file gives the command line on it. All are taken down at the end.

    ``rootfs:BUSYBOX`` in the text becomes the reference of a busybox root file system.
    name: of the stack and its folder. files: texts by name, written beside the file.
    """
    with stacks_in(tmp_path, busybox_root) as make:
        yield make


@pytest.fixture(scope="module")
def write_shared_stack(tmp_path_factory, busybox_root):
    """As ``write_stack``, for a stack that the tests of a file share: each leaves it as it was."""
    with stacks_in(tmp_path_factory.mktemp("shared"), busybox_root) as make:
        yield make
