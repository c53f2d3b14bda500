"""Measure how long ``watch`` takes from a saved file to its effect in a stack of many services.

    python benchmarks/watch.py [--services N] [--rounds N] [--image IMAGE] [--docker COMMAND --docker-image IMAGE]

sync: until the program in the container reads the new content. restart: until a restarted container has read it
(``sync+restart``). The program reads the file every 2 ms, and so does this measurement. Needs root. Docker Compose
watches only services that it builds, so its image is built from IMAGE. Within a round each tool has its turn, so a slow
moment of the machine hits both; absolute times are noise on a shared machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 60.0
READER = "while :; do cat /app/file >/out/a && mv /out/a /out/synced; usleep 2000; done"
STARTED = "cat /etc/settings >/out/b && mv /out/b /out/started; exec sleep 100000"


class Tool(NamedTuple):
    """A program that reads Compose files. image: of busybox; builds: whether it has to build what it watches."""

    name: str
    command: list[str]
    image: str
    builds: bool


def compose_file(tool: Tool, services: int) -> str:
    """Of one service that is synced, one that is restarted, and others that only run."""
    image = f"build: {tool.name}" if tool.builds else f'image: "{tool.image}"'
    common = f"{image}\n    init: true\n    stop_grace_period: 1s"
    others = "".join(f"\n  other-{n}:\n    {common}\n    command: [sleep, '100000']" for n in range(services - 2))
    return f"""name: bench-watch
services:
  synced:
    {common}
    command: [sh, -c, "{READER}"]
    volumes: ["./out:/out"]
    develop: {{watch: [{{action: sync, path: ./src, target: /app}}]}}
  restarted:
    {common}
    command: [sh, -c, "{STARTED}"]
    volumes: ["./out:/out"]
    develop: {{watch: [{{action: sync+restart, path: ./conf, target: /etc}}]}}{others}
"""


def until_it_says(path: Path, text: str) -> float:
    """The seconds until the file has this text. Raises TimeoutError."""
    began = time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        with contextlib.suppress(FileNotFoundError):
            if path.read_text() == text:
                return time.perf_counter() - began
        time.sleep(0.002)
    raise TimeoutError(f"{path} does not get the new content")


def save(path: Path, text: str) -> None:
    """As editors do: another file, then its name."""
    other = path.with_name(f".{path.name}.new")
    other.write_text(text)
    other.rename(path)


@contextlib.contextmanager
def watching(tool: Tool, folder: Path, services: int) -> Iterator[None]:
    """The stack runs and is watched."""
    for name in ("src", "conf", "out", tool.name):
        (folder / name).mkdir()
    (folder / tool.name / "Dockerfile").write_text(
        f"FROM {tool.image}\nRUN mkdir -p /app && touch /app/file /etc/settings\n"
    )
    (folder / "compose.yaml").write_text(compose_file(tool, services))
    with (folder / "watch.log").open("wb") as log:
        watch = subprocess.Popen([*tool.command, "watch"], cwd=folder, stdout=log, stderr=log)
    try:
        wait_until_watched(folder)
        yield
    except TimeoutError:
        sys.stderr.write((folder / "watch.log").read_text(errors="replace")[-3000:])
        raise
    finally:
        watch.terminate()
        watch.wait()
        subprocess.run([*tool.command, "down", "-t", "0"], cwd=folder, capture_output=True, check=True)


def wait_until_watched(folder: Path) -> None:
    """Save files until both are noticed: nothing tells when watching begins."""
    deadline = time.monotonic() + 4 * SECONDS
    for name, result in (("src/file", "synced"), ("conf/settings", "started")):
        for number in range(1000):
            text = f"first {number}\n"
            save(folder / name, text)
            again = time.monotonic() + 2
            while time.monotonic() < again:
                with contextlib.suppress(FileNotFoundError):
                    if (folder / "out" / result).read_text() == text:
                        break
                time.sleep(0.01)
            else:
                if time.monotonic() > deadline:
                    raise TimeoutError("nothing is watched")
                continue
            break


def measure(tools: list[Tool], services: int, rounds: int) -> dict[tuple[str, str], list[float]]:
    """The seconds of each round, by tool and action."""
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        folders = {tool.name: Path(place, tool.name) for tool in tools}
        for tool in tools:
            folders[tool.name].mkdir()
            stack.enter_context(watching(tool, folders[tool.name], services))
        for number in range(rounds):
            for action, source, result in (("sync", "src/file", "synced"), ("restart", "conf/settings", "started")):
                for tool in tools:
                    text = f"round {number}\n"
                    save(folders[tool.name] / source, text)
                    taken = until_it_says(folders[tool.name] / "out" / result, text)
                    found.setdefault((tool.name, action), []).append(taken)
    return found


def busybox_root(path: Path) -> Path:
    """A root file system with busybox under all of its names."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise SystemExit("needs busybox, linked statically (Debian: busybox-static)")
    for name in ("app", "bin", "dev", "etc", "out", "proc", "root", "sys", "tmp"):
        (path / name).mkdir(parents=True)
    shutil.copy(busybox, path / "bin/busybox")
    for applet in subprocess.run([busybox, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split():
        if applet != "busybox":
            (path / "bin" / applet).symlink_to("busybox")
    for name in ("app/file", "etc/settings", "etc/passwd"):
        (path / name).touch()
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--image", help="of busybox, for Orchestra; a root file system is made without it")
    parser.add_argument("--docker", help="the command of Docker Compose, in one word or several")
    parser.add_argument("--docker-image", default="busybox")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["ORCHESTRA_HOME"] = f"{home}/home"
        os.environ["PYTHONPATH"] = str(ROOT)
        image = asked.image or f"rootfs:{busybox_root(Path(home, 'root'))}"
        tools = [Tool("orchestra", [sys.executable, "-m", "orchestra"], image, builds=False)]
        if asked.docker:
            tools.append(Tool("docker", shlex.split(asked.docker), asked.docker_image, builds=True))
        found = measure(tools, asked.services, asked.rounds)
    print(f"{asked.services} services, {asked.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    for (tool, action), taken in sorted(found.items()):
        low, middle, high = (1000 * each for each in (min(taken), statistics.median(taken), max(taken)))
        print(f"{action:8} {tool:10} median {middle:7.1f} ms   ({low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main()
