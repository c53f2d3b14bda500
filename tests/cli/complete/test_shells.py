"""Tab in real shells: bash and zsh on a terminal, fish by its own question for candidates."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.cli.test_elsewhere import BECOME, USER

SHELLS = ("bash", "zsh", "fish")
FILE = """
services:
  web: {image: "a:1"}
  worker: {image: "b"}
  db: {image: "c", profiles: [debug]}
"""
START = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}
PREPARE = {
    "bash": "bind 'set enable-bracketed-paste off'; PS1='$ '; source {script}",
    "zsh": "unset zle_bracketed_paste; bindkey -e; PS1='$ '; autoload -U compinit; compinit -u -D; source {script}",
}


@cache
def script(shell):
    done = subprocess.run([sys.executable, "-m", "orchestra", "completion", shell], capture_output=True, check=True)
    return done.stdout


class Terminal:
    """Completes lines in one shell. Lines of a terminal end where the command that they run has answered."""

    def __init__(self, shell, folder, environment, become=()) -> None:
        self.shell = shell
        self.folder = folder
        self.environment = environment
        self.become = list(become)
        self.script = folder.parent / f"completion.{shell}"
        self.script.write_bytes(script(shell))
        self.process = None

    def complete(self, line):
        """The words after ``orchestra`` once Tab has been pressed; '' stands for the word that a blank begins."""
        if self.shell == "fish":
            return self._ask_fish(line)
        if self.process is None:
            self._start()
        # Ctrl-A and a command that shows the completed words in place of running them.
        self._say(f"{line}\t\x01printf '<%s>' \x05'' en''d\n")
        heard = self._hear("<end>")
        words = re.findall("<([^<>]*)>", heard[heard.rindex("<orchestra>") :])
        return words[1:-1]

    def _start(self):
        self.ours, theirs = pty.openpty()
        terminal = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        options = {"cwd": self.folder, "env": self.environment, "start_new_session": True}
        self.process = subprocess.Popen([*self.become, *START[self.shell]], **terminal, **options)
        os.close(theirs)
        self._say(PREPARE[self.shell].format(script=shlex.quote(str(self.script))) + "; echo re''ady\n")
        self._hear("ready")

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            os.close(self.ours)

    def _ask_fish(self, line):
        ask = f"source {shlex.quote(str(self.script))}; complete -C{shlex.quote(line)}"
        command = [*self.become, "fish", "--no-config", "-c", ask]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        return [row.partition("\t")[0] for row in done.stdout.splitlines()]

    def _say(self, text) -> None:
        os.write(self.ours, text.encode())

    def _hear(self, end, seconds=40):
        heard = ""
        deadline = time.monotonic() + seconds
        while end not in heard:
            readable = select.select([self.ours], [], [], max(0, deadline - time.monotonic()))[0]
            assert readable, f"not heard {end!r} in {heard!r}"
            try:
                heard += os.read(self.ours, 4096).decode(errors="replace")
            except OSError:
                pytest.fail(f"the shell has ended: {heard!r}")
        return heard


@contextmanager
def a_terminal(shell, path, become=()):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    terminal = make_terminal(shell, path, become)
    try:
        yield terminal
    finally:
        terminal.close()


@pytest.fixture(params=SHELLS)
def terminal(request, tmp_path):
    with a_terminal(request.param, tmp_path) as terminal:
        yield terminal


@pytest.fixture(params=SHELLS, scope="module")
def shared_terminal(request, tmp_path_factory):
    """For what changes none of its files."""
    with a_terminal(request.param, tmp_path_factory.mktemp("shell")) as terminal:
        yield terminal


def make_terminal(shell, tmp_path, become):
    folder = tmp_path / "stack"
    folder.mkdir()
    (folder / "compose.yaml").write_text(FILE)
    (folder / "sub").mkdir()
    binaries = tmp_path / "bin"
    binaries.mkdir()
    program = binaries / "orchestra"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m orchestra "$@"\n')
    program.chmod(0o755)
    known = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE_", "LC_", "LANG"))}
    environment = {**known, "PATH": f"{binaries}:{os.environ['PATH']}", "TERM": "dumb", "HOME": str(tmp_path)}
    environment["ORCHESTRA_HOME"] = str(tmp_path / "home")
    environment["PYTHONPATH"] = str(Path(__file__).parent.parent.parent.parent)
    return Terminal(shell, folder, environment, become)


def one(terminal, before, completed):
    """What the shells make of a word that can only become one. fish tells the last word alone."""
    words = completed.split(" ")
    return words[-1:] if terminal.shell == "fish" else [*words, ""]


@pytest.mark.parametrize(
    ("before", "completed"),
    [
        ("conf", "config"),
        ("image insp", "image inspect"),
        ("up --abort-on-container-f", "up --abort-on-container-failure"),
        ("up --pull al", "up --pull always"),
        ("up --pull=al", "up --pull=always"),
        ("up -d wo", "up -d worker"),
        ("logs -f web wo", "logs -f web worker"),
        ("-f compose.yaml ps d", "-f compose.yaml ps db"),
        ("--profile deb", "--profile debug"),
        ("completion zs", "completion zsh"),
        ("-f comp", "-f compose.yaml"),
    ],
)
def test_a_word_with_one_end_is_completed(shared_terminal, before, completed):
    found = shared_terminal.complete(f"orchestra {before}")
    assert found in (one(shared_terminal, before, completed), one(shared_terminal, before, completed)[:-1])


def test_what_ends_with_an_equals_sign_is_to_be_continued(shared_terminal):
    found = shared_terminal.complete("orchestra up --scale wo")
    assert found == (["worker="] if shared_terminal.shell == "fish" else ["up", "--scale", "worker="])


def test_a_folder_is_completed_as_one(shared_terminal):
    found = shared_terminal.complete("orchestra --project-directory s")
    assert found[-1].rstrip("/") == "sub" or found[-2].rstrip("/") == "sub"


def test_stacks_are_completed_by_name(terminal):
    stack = Path(terminal.environment["ORCHESTRA_HOME"]) / "data/stacks/guestbook"
    stack.mkdir(parents=True)
    (stack / "desired.json").write_text("{}")
    assert "guestbook" in terminal.complete("orchestra -p gues")


def test_images_are_completed_over_the_colons_of_bash(terminal, tmp_path):
    root = tmp_path / "root.tar"
    subprocess.run(["tar", "-cf", root, "-C", terminal.folder, "sub"], check=True)
    line = [sys.executable, "-m", "orchestra", "image", "import", root, "localhost:5000/demo:1"]
    subprocess.run(line, env=terminal.environment, check=True, capture_output=True)
    assert "localhost:5000/demo:1" in terminal.complete("orchestra image rm localhost:50")


@pytest.mark.parametrize("text", ["services: [", "services: {web: {imge: x}}", "\x00", ""])
def test_a_broken_file_has_no_services_and_no_traceback(terminal, text):
    (terminal.folder / "compose.yaml").write_text(text)
    assert [word for word in terminal.complete("orchestra up w") if word] == (
        [] if terminal.shell == "fish" else ["up", "w"]
    )
    assert "down" in terminal.complete("orchestra dow")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be another user for a while")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_plain_user_completes_too(shell, tmp_path):
    # Where fish, which asks access(2), sees that it may execute the program.
    become = BECOME.replace("exec setpriv", f"cp -r {tmp_path}/bin /run/bin\nexec setpriv")
    with a_terminal(shell, tmp_path, ["unshare", "--mount", "sh", "-ec", become, "sh"]) as terminal:
        terminal.environment = {name: value for name, value in terminal.environment.items() if name != "ORCHESTRA_HOME"}
        own = tmp_path / "own"
        own.mkdir()
        os.chown(own, int(USER), int(USER))
        terminal.environment |= {"ROOTS_HOME": "", "HOME": str(own), "PATH": f"/run/bin:{os.environ['PATH']}"}
        assert "worker" in terminal.complete("orchestra up wo")
        assert "guestbook" not in terminal.complete("orchestra -p gues")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_correct(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_bytes(script(shell))
    done = subprocess.run([shell, "-n", tmp_path / "script"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
