"""Commands of the docker client whose results are compared: those of Docker's engine are recorded, ours are run.

``docker.txt`` has each command, its standard input, its exit code if that is not 0, and what it writes, without what is
another one each time.

    python -m tests.engine_api.beside_docker SOCKET

records them anew, from Docker's engine at that socket, which must have no containers and no images.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

RECORD = Path(__file__).with_name("docker.txt")
PROMPT, INPUT = "$ docker ", "< "
ANY_ORDER = "# in any order"
CLIENT = "28"
"""The version of the client whose words are in the record."""
PORT = "$PORT"
"""Stands for a free port of the machine."""


class Step(NamedTuple):
    """line: the command as it is written. result: its exit code and output."""

    line: str
    text: str
    result: str

    def render(self) -> str:
        typed = "".join(f"{INPUT}{line}\n" for line in self.text.splitlines())
        return f"{PROMPT}{self.line}\n{typed}{self.result}\n"


SHAPES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"sha256:[0-9a-f]{64}", "sha256:DIGEST"),
    (r"\b[0-9a-f]{64}\b", "ID"),
    (r"\b[0-9a-f]{12}\b", "ID"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "MOMENT"),
    (r"(?:Less than a second|About a minute|\d+ (?:second|minute)s?)(?= ago|\b)", "A WHILE"),
    (r"\b[\d.]+ ?[kMG]?B\b", "SIZE"),
    (r"min/avg/max = [\d./]+ ms", "TIMES"),
    (r"\(10\.98\.77\.\d+\)", "(ADDRESS)"),
    (r"(?m)^ *\d+ +(?=\S+$)", "PID "),
)


def normalise(text: str, *, any_order: bool) -> str:
    """Without ids, moments, sizes, addresses and the width of columns."""
    for shape, name in SHAPES:
        text = re.sub(shape, name, text)
    found = [re.sub(r"  +", "  ", line.rstrip()) for line in text.splitlines()]
    return "\n".join(sorted(found) if any_order else filter(None, found))


def recorded() -> list[Step]:
    """With what Docker's engine has answered."""
    steps = []
    for block in RECORD.read_text().removeprefix(PROMPT).split(f"\n{PROMPT}"):
        line, *rest = block.splitlines()
        typed = [each.removeprefix(INPUT) for each in rest if each.startswith(INPUT)]
        result = "\n".join(each for each in rest if not each.startswith(INPUT)).strip()
        steps.append(Step(line, "".join(f"{each}\n" for each in typed), result))
    return steps


def client_version() -> str:
    """The first number of it; empty if the client is not installed."""
    if not shutil.which("docker"):
        return ""
    told = subprocess.run(["docker", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return told.split()[2].partition(".")[0]


def run_all(socket: str, root: Path) -> list[Step]:
    """The same steps with the results of the engine at a socket. root: the files of an image with busybox."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {**os.environ, "DOCKER_HOST": f"unix://{socket}", "DOCKER_BUILDKIT": "0", "HOME": directory}

        def docker(words: list[str], text: bytes) -> subprocess.CompletedProcess[bytes]:
            return subprocess.run(
                ["docker", *words],
                input=text,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=directory,
                timeout=120,
                check=False,
            )

        Path(directory, "note").write_text("copied\n")
        archive = subprocess.run(["tar", "-c", "-C", root, "."], stdout=subprocess.PIPE, check=True).stdout
        imported = docker(["import", "-c", 'CMD ["sh"]', "-c", "ENV PATH=/bin:/usr/bin", "-", "bb"], archive)
        assert imported.returncode == 0, imported.stdout
        found = []
        port = str(free_port())
        for step in recorded():
            line = step.line.replace(PORT, port)
            done = docker(shlex.split(line, comments=True), step.text.encode())
            output = done.stdout.decode(errors="replace").replace(port, PORT)
            written = normalise(output, any_order=ANY_ORDER in line)
            code = f"[{done.returncode}]\n" if done.returncode else ""
            found.append(step._replace(result=f"{code}{written}".strip()))
        return found


if __name__ == "__main__":
    from tests.examples.images import write_busybox_root

    with tempfile.TemporaryDirectory() as place:
        ran = run_all(sys.argv[1], write_busybox_root(Path(place)))
    RECORD.write_text("\n".join(step.render() for step in ran))
