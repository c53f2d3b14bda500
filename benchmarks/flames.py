"""Draw where commands spend their time, as flame graphs in docs/flames, from samples of real runs.

    python benchmarks/flames.py --image rootfs:DIR [--spy py-spy] [--only exec,config] [--write DIRECTORY]

DIR is a small userland with ``sleep`` and ``true``. ``py-spy`` (PyPI) looks at the Python processes from outside, a
thousand times a second, and at those threads only that use a processor. Each operation is repeated ROUNDS times. The
lowest row is the process: the command itself or the stack's supervisor, which are not children of one another. A
frame's width is its share of all samples; where a command waits for another process, it has none.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

ROUNDS = 5
RATE = 1000
WIDTH, ROW, LETTER = 1200, 17, 6.6
LEAST = 0.004
"""The share of the samples below which a frame is left out."""
COLOURS = {"orchestra": "#f2c38b", "library": "#b9cfe6", "import": "#d9d4cb", "process": "#e8e8e8"}
SUPERVISOR = "orchestra-super"


@dataclass
class Frame:
    """samples: with everything that it has called."""

    name: str
    samples: int = 0
    called: dict[str, Frame] = field(default_factory=dict)

    def add(self, stack: list[str], samples: int) -> None:
        self.samples += samples
        if stack:
            self.called.setdefault(stack[0], Frame(stack[0])).add(stack[1:], samples)

    @property
    def depth(self) -> int:
        return 1 + max((each.depth for each in self.called.values()), default=0)


def read_samples(text: str, process: str, into: Frame) -> None:
    """text: lines of ``frame;frame;frame count``, the outermost first."""
    for line in text.splitlines():
        stack, _, samples = line.rpartition(" ")
        names = [named for frame in stack.split(";") if (named := name_of(frame))]
        into.add([process, *names], int(samples))


def name_of(frame: str) -> str:
    """Without line numbers; '' for the machinery of imports, which would hide what is imported."""
    found = re.fullmatch(r"(.*) \((.*?)(?::\d+)?\)", frame)
    if found is None:
        return frame
    function, file = found.groups()
    if file.startswith("<frozen"):
        return ""
    short = re.sub(r".*/(site-packages|lib/python[\d.]+|orchestra)/", lambda at: f"{at[1]}/", file)
    short = re.sub(r"^(site-packages|lib/python[\d.]+)/", "", short)
    return f"import of {short}" if function == "<module>" else f"{function} ({short})"


def draw(top: Frame, title: str) -> str:
    """An SVG of the frames, the outermost at the bottom."""
    height = (top.depth + 2) * ROW
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" '
        f'font-size="11"><title>{escape(title)}</title><rect width="100%" height="100%" fill="white"/>'
        f'<text x="4" y="12">{escape(title)}: {top.samples} samples</text>'
    )
    return "\n".join([head, *_rows(top, top.samples, 0.0, height - ROW), "</svg>", ""])


def _rows(frame: Frame, whole: int, x: float, y: int) -> list[str]:
    found: list[str] = []
    for each in sorted(frame.called.values(), key=lambda called: called.name):
        width = WIDTH * each.samples / whole
        if each.samples < LEAST * whole:
            x += width
            continue
        letters = int(width / LETTER)
        shown = each.name if len(each.name) <= letters else each.name[: max(0, letters - 1)] + "…"
        text = f'<text x="{x + 2:.1f}" y="{y + 12}">{escape(shown)}</text>' if letters > 3 else ""
        found.append(
            f'<g><title>{escape(each.name)}: {100 * each.samples / whole:.1f} %</title><rect x="{x:.1f}" y="{y}" '
            f'width="{max(0.3, width - 0.3):.1f}" height="{ROW - 1}" fill="{_colour(each.name)}"/>{text}</g>'
        )
        found += _rows(each, whole, x, y - ROW)
        x += width
    return found


def _colour(name: str) -> str:
    if name.startswith("import of "):
        return COLOURS["import"]
    if " (" not in name:
        return COLOURS["process"]
    return COLOURS["orchestra" if "(orchestra/" in name else "library"]


class World:
    """A home and a folder with stack files, and how commands are sampled in it."""

    def __init__(self, directory: str, spy: str, image: str) -> None:
        self._directory, self._spy, self._image = directory, spy, image
        self._home = f"{directory}/home"
        self._environment = {**os.environ, "ORCHESTRA_HOME": self._home}

    def write(self, services: int) -> None:
        service = f'{{image: "{self._image}", command: [sleep, infinity], stop_signal: SIGKILL}}'
        lines = "".join(f"  s{number}: {service}\n" for number in range(services))
        Path(self._directory, "compose.yaml").write_text(f"name: flames\nservices:\n{lines}")

    def run(self, *words: str) -> None:
        subprocess.run(
            self._command(words), cwd=self._directory, env=self._environment, check=True, capture_output=True
        )

    def sample(self, into: Frame, *words: str) -> None:
        """Run a command, and sample it, and the supervisor that it starts."""
        own, other = f"{self._directory}/own", f"{self._directory}/other"
        before = {*self._supervisors()}
        with subprocess.Popen(
            [*self._record(own), "--", *self._command(words)],
            cwd=self._directory,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as command:
            watching = None
            while command.poll() is None:
                if watching is None and (new := [pid for pid in self._supervisors() if pid not in before]):
                    line = [*self._record(other), "--pid", str(new[0]), "--duration", "600"]
                    watching = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(0.002)
        read_samples(Path(own).read_text(), "command", into)
        if watching is not None:
            watching.send_signal(signal.SIGINT)
            watching.wait(60)
            read_samples(Path(other).read_text(), "supervisor", into)

    def _record(self, file: str) -> list[str]:
        return [self._spy, "record", "--rate", str(RATE), "--nonblocking", "--format", "raw", "--output", file]

    def _command(self, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-P", "-m", "orchestra", *words]

    def _supervisors(self) -> list[int]:
        found: list[int] = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if entry.joinpath("comm").read_text().strip() == SUPERVISOR and self._home.encode() in (
                    entry.joinpath("cmdline").read_bytes()
                ):
                    found.append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found


def of_up(world: World, services: int) -> Frame:
    world.write(services)
    top = Frame("all")
    for _ in range(ROUNDS):
        world.sample(top, "up", "-d")
        world.run("down", "-t", "0")
    return top


def of_exec(world: World) -> Frame:
    world.write(1)
    world.run("up", "-d")
    top = Frame("all")
    for _ in range(ROUNDS * 3):
        world.sample(top, "exec", "-T", "s0", "true")
    world.run("down", "-t", "0")
    return top


def of_config(world: World) -> Frame:
    top = Frame("all")
    for services in range(50, 50 + ROUNDS):  # another file each time: none is remembered
        world.write(services)
        world.sample(top, "config")
    return top


OPERATIONS = {
    "up-1": ("up -d, 1 service", lambda world: of_up(world, 1)),
    "up-50": ("up -d, 50 services", lambda world: of_up(world, 50)),
    "exec": ("exec s0 true", of_exec),
    "config": ("config, 50 services, file never seen before", of_config),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", required=True)
    parser.add_argument("--spy", default="py-spy")
    parser.add_argument("--only", default=",".join(OPERATIONS))
    parser.add_argument("--write", default="docs/flames")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flames-") as directory:
        for name in options.only.split(","):
            title, measure = OPERATIONS[name]
            world = World(directory, options.spy, options.image)
            Path(options.write, f"{name}.svg").write_text(draw(measure(world), title))


if __name__ == "__main__":
    main()
