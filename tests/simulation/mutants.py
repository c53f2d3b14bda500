"""Deliberately broken reconcilers, each of which the schedules have to notice.

    python -m tests.simulation.mutants              all of them, and how many schedules each took
    python -m tests.simulation.mutants NAME SEEDS   one of them, in this process

A mutant replaces one piece of one module's text before that is imported, in a process of its own.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

SEEDS = 400
"""How many schedules a mutant has to survive to escape."""
NEEDED = 48
MISSED = 3
"""Exit code of a mutant that no schedule has noticed."""


class Mutant(NamedTuple):
    """breaks: what, in words. module: below ``orchestra``. old: text that it has once; new: what that becomes."""

    name: str
    breaks: str
    module: str
    old: str
    new: str


def read_mutants() -> tuple[Mutant, ...]:
    with (Path(__file__).parent / "mutants.toml").open("rb") as file:
        return tuple(Mutant(**row) for row in tomllib.load(file)["mutant"])


MUTANTS = read_mutants()


class Finder(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Imports the module of a mutant with its change."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        self.name = f"orchestra.{mutant.module}"
        self.path = str(source_of(mutant))

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=self.path)

    def get_filename(self, name):
        return f"{self.path} ({self.mutant.name})"

    def get_data(self, path):
        return changed(self.mutant).encode()

    def path_stats(self, path):
        raise OSError


def source_of(mutant: Mutant) -> str:
    import orchestra

    return os.path.join(os.path.dirname(orchestra.__file__), *mutant.module.split(".")) + ".py"


def changed(mutant: Mutant) -> str:
    """The text of the module with the change. Raises AssertionError if that is not of exactly one place."""
    with open(source_of(mutant)) as file:
        text = file.read()
    assert text.count(mutant.old) == 1, f"{mutant.name}: {text.count(mutant.old)} places in {mutant.module}"
    return text.replace(mutant.old, mutant.new)


def live(mutant: Mutant, seeds: int) -> int:
    """Run schedules until one notices. Prints its seed and what it has noticed."""
    sys.meta_path.insert(0, Finder(mutant))
    from tests.simulation.schedule import Schedule, run

    for seed in range(seeds):
        try:
            run(Schedule(seed, well_behaved=seed % 3 == 2), seed)
        except BaseException as error:
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            print(f"{seed} {type(error).__name__}: {str(error)[:100]}")
            return 0
    return MISSED


def hunt(mutant: Mutant, seeds: int = SEEDS) -> tuple[bool, str]:
    """Whether it was caught, in a process of its own, and how."""
    began = time.monotonic()
    command = [sys.executable, "-m", "tests.simulation.mutants", mutant.name, str(seeds)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        return True, "the life did not end"
    said = ended.stdout.strip() or ended.stderr.strip()[-200:]
    assert ended.returncode in (0, MISSED), f"{mutant.name}: {said}"
    return ended.returncode == 0, f"{said or 'escaped'} ({time.monotonic() - began:.1f} s)"


def main() -> int:
    if len(sys.argv) == 3:
        mutant = next(each for each in MUTANTS if each.name == sys.argv[1])
        return live(mutant, int(sys.argv[2]))
    caught = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, (is_caught, how) in zip(MUTANTS, pool.map(hunt, MUTANTS), strict=True):
            caught += is_caught
            print(f"{'caught' if is_caught else 'MISSED'}  {mutant.name}: {mutant.breaks}: {how}", flush=True)
    print(f"{caught} of {len(MUTANTS)} caught")
    return 0 if caught * 50 >= NEEDED * len(MUTANTS) else 1


if __name__ == "__main__":
    sys.exit(main())
