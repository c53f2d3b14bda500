"""The process that outlives a run of the tests, however that ends, and ends what is left of it: a run may be cut off.

``python -I -S reaper.py BASE``: the run's directory. It has a pidfd of the run's pytest and the descriptor of its lock.
"""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

PYTEST, LOCK = 8, 9


def main(base: str) -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.run import Run

    os.chdir("/")
    select.select([PYTEST], [], [])
    run = Run(Path(base))
    run.clear()
    run.remove_made()
    run.forget()


if __name__ == "__main__":
    main(*sys.argv[1:])
