"""What loading a Compose file costs: processor time by size, and ``orchestra config`` beside a bare interpreter.

    python benchmarks/loader.py

The medians of a few runs, as Markdown. A file is that of ``tests/compose/test_speed.py``: usual services, each with a
port, variables, a volume, a link and a dependency.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from orchestra.compose import LoadRequest, load, render_config
from tests.compose.test_speed import stack

SIZES = (10, 50, 100, 500, 1000, 2000, 5000, 10_000)
RUNS = 9


def by_size(directory: Path) -> None:
    load_one(directory, 10)  # imports, and the models' first use
    print("| services | file | load | printing | load of one service |\n|---:|---:|---:|---:|---:|")
    for size in SIZES:
        runs = [load_one(directory, size) for _ in range(1 if size > 1000 else 3)]
        loading, printing, length = (statistics.median(column) for column in zip(*runs, strict=True))
        each = 1000 * loading / size
        print(f"| {size:,} | {length / 1000:.0f} kB | {loading:.2f} s | {printing:.3f} s | {each:.2f} ms |")


def load_one(directory: Path, size: int) -> tuple[float, float, int]:
    text = stack(size)
    (directory / "compose.yaml").write_text(text)
    began = time.process_time()
    loaded = load(LoadRequest({}, str(directory)))
    between = time.process_time()
    render_config(loaded.stack)
    return between - began, time.process_time() - between, len(text)


def processes(directory: Path) -> None:
    (directory / "compose.yaml").write_text(stack(50))
    environment = {**os.environ, "ORCHESTRA_HOME": str(directory / "home")}
    orchestra = [sys.executable, "-m", "orchestra", "config", "-q"]

    def forget() -> None:
        for entry in (path for path in (directory / "home").rglob("*") if path.is_file()):
            entry.unlink()

    cases = {
        "`python3 -c pass`": ([sys.executable, "-c", "pass"], lambda: None),
        "`config` of 50 services, remembered": (orchestra, lambda: None),
        "`config` of 50 services, cold": (orchestra, forget),
    }
    print("\n| process | time | processor time | times a bare interpreter's |\n|---|---:|---:|---:|")
    bare = 0.0
    for name, (command, before) in cases.items():
        measure(command, directory, environment)  # so that what is remembered is there
        found = []
        for _ in range(RUNS):
            before()
            found.append(measure(command, directory, environment))
        wall, cpu = (statistics.median(column) for column in zip(*found, strict=True))
        bare = bare or cpu  # on a shared machine only processor time can be compared
        print(f"| {name} | {1000 * wall:.0f} ms | {1000 * cpu:.0f} ms | {cpu / bare:.1f} |")


def measure(command: list[str], directory: Path, environment: dict[str, str]) -> tuple[float, float]:
    used, began = _children(), time.perf_counter()
    subprocess.run(command, cwd=directory, env=environment, check=True)
    return time.perf_counter() - began, _children() - used


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        by_size(Path(name))
        processes(Path(name))
