"""Many schedules, in as many processes as there are cores, and what they cost.

python -m tests.simulation.many [COUNT [FIRST]]
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.schedule import Schedule, run

COUNT = 10_000
CHUNK = 50


def live(seeds: range) -> tuple[list[str], float]:
    """What went wrong, and the seconds of processor time that it took."""
    gc.freeze()  # what the last chunk left is little beside the modules
    began = _processor_time()
    failures: list[str] = []
    for seed in seeds:
        try:
            run(Schedule(seed), seed)
        except (AssertionError, ExceptionGroup) as error:
            while isinstance(error, ExceptionGroup):
                error = error.exceptions[0]
            failures.append(f"ORCHESTRA_SEED={seed} pytest tests/simulation: {type(error).__name__}: {error}")
    return failures, _processor_time() - began


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> int:
    given = [int(argument) for argument in sys.argv[1:]]
    count, first = [*given, *(COUNT, 0)[len(given) :]]
    began = time.monotonic()
    chunks = [range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    failures, seconds = 0, 0.0
    with ProcessPoolExecutor() as pool:
        for said, took in pool.map(live, chunks):
            failures += len(said)
            seconds += took
            for line in said:
                print(line, flush=True)
    elapsed = time.monotonic() - began
    print(
        f"{count} schedules, {failures} failed: {elapsed:.0f} s on {os.cpu_count()} cores, "
        f"{seconds / count * 1000:.0f} ms of processor time each"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
