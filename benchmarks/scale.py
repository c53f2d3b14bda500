"""Measure what a container costs in stacks of different sizes: it should not depend on the size.

    python benchmarks/scale.py --image rootfs:DIR [--sizes 10,100,300]

DIR is a small userland with ``sleep``. For each size the table tells, of one ``up -d`` and ``down -t 0``: seconds; the
processor time of the command and of the stack's own processes, for each container; their memory (PSS), for each
container beyond the first stack's; and how long ``ps`` and an ``up -d`` with nothing to do take.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

OWN = ("orchestra-fork", "orchestra-super", "orchestra-shim", "orchestra-names")
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Row:
    """Times in seconds, memory in KiB. spent: processor time."""

    size: int
    up: float
    spent: float
    memory: int
    again: float
    ps: float
    down: float


class World:
    def __init__(self, directory: str, image: str) -> None:
        self._directory, self._image = directory, image
        self._home = f"{directory}/home"

    def write(self, size: int) -> None:
        service = f'{{image: "{self._image}", command: [sleep, infinity], stop_signal: SIGKILL}}'
        lines = "".join(f"  s{number}: {service}\n" for number in range(size))
        Path(self._directory, "compose.yaml").write_text(f"name: scale\nservices:\n{lines}")
        self.run("plan", failing=True)  # the load is remembered

    def run(self, *words: str, failing: bool = False) -> float:
        began = time.monotonic()
        line = [sys.executable, "-P", "-m", "orchestra", *words]
        environment = {**os.environ, "ORCHESTRA_HOME": self._home}
        subprocess.run(line, cwd=self._directory, env=environment, check=not failing, capture_output=True)
        return time.monotonic() - began

    def processes(self) -> list[Path]:
        return [path for path in Path("/proc").glob("[0-9]*") if self._is_own(path)]

    def _is_own(self, process: Path) -> bool:
        try:
            name = process.joinpath("comm").read_text().strip()
            return name in OWN and self._home.encode() in process.joinpath("cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False


def spent_by(process: Path) -> float:
    fields = process.joinpath("stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_of(process: Path) -> int:
    for line in process.joinpath("smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def measure(world: World, size: int) -> Row:
    world.write(size)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    up = world.run("up", "-d")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = world.processes()
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime + sum(map(spent_by, own))
    memory = sum(map(memory_of, own))
    again, ps = world.run("up", "-d"), world.run("ps")
    return Row(size, up, spent, memory, again, ps, world.run("down", "-t", "0"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", required=True)
    parser.add_argument("--sizes", default="10,100,300")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scale-") as directory:
        world = World(directory, options.image)
        one = measure(world, 1)
        print("| containers | `up -d`, s | processor, ms each | memory, KiB each | again, s | `ps`, s | `down`, s |")
        print("|---:|---:|---:|---:|---:|---:|---:|")
        for row in (measure(world, int(size)) for size in options.sizes.split(",")):
            each = row.size - one.size
            spent, memory = 1000 * (row.spent - one.spent) / each, (row.memory - one.memory) / each
            times = f"{row.again:.2f} | {row.ps:.2f} | {row.down:.1f}"
            print(f"| {row.size} | {row.up:.1f} | {spent:.1f} | {memory:.0f} | {times} |")


if __name__ == "__main__":
    main()
