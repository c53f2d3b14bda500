"""A process that unpacks layers: ``python -m orchestra.driver.local.image.layers.unpack_process DATA RUN``.

Standard input has one request per line, each followed by reports of how far its blob has come (``growing``); each
answer is a line of JSON on standard output. The process ends with its input. If its requester is killed, it is killed
too; until then it holds the lock of the layer that it is making.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.image.content.growing import Reports, opened_growing
from orchestra.driver.local.image.content.store import ContentStore
from orchestra.driver.local.image.layers.layer import Layer, commit_layer
from orchestra.driver.local.image.layers.unpack import BelowNeeded
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.errors import DriverError
from orchestra.home import Home
from orchestra.linux import oom_score
from orchestra.linux.process import PR_SET_PDEATHSIG, prctl

if TYPE_CHECKING:
    from collections.abc import Sequence


def main() -> None:
    parent = os.getppid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    oom_score.be_ordinary()  # it uses memory, and can be started again
    home = Home(*sys.argv[1:])
    content, snapshots = ContentStore(home.content), Snapshotter(home)
    for line in sys.stdin:
        request = json.loads(line)
        reports = Reports(sys.stdin)
        answer = _answer(content, snapshots, Layer(**request["layer"]), request["below"], reports)
        print(json.dumps(answer), flush=True)


def _answer(
    content: ContentStore, snapshots: Snapshotter, layer: Layer, below: Sequence[str] | None, reports: Reports
) -> dict[str, Any]:
    try:
        _commit(content, snapshots, layer, below, reports)
    except BelowNeeded:
        reports.wait_for_whole()
        return {"done": False}
    except DriverError as error:
        return {"error": error.message, "hint": error.hint, "temporary": error.temporary}
    return {"done": True}


def _commit(
    content: ContentStore, snapshots: Snapshotter, layer: Layer, below: Sequence[str] | None, reports: Reports
) -> None:
    reports.wait()
    if not reports.is_whole:
        # The error may only be due to what has come so far: a download may be begun anew.
        with contextlib.suppress(DriverError):
            commit_layer(content, snapshots, layer, below, opened_growing(content, layer.blob, reports))
    reports.wait_for_whole()
    commit_layer(content, snapshots, layer, below)


if __name__ == "__main__":
    main()
