"""A process that unpacks layers: ``python -m orchestra.driver.local.image.unpack_process DATA RUN``.

One request a line comes from standard input, one answer a line goes to standard output, as JSON. It ends with its
input. When whoever asked is killed it is killed, too; until then it holds the lock of the layer that it is making.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from orchestra.driver.local.image.content import ContentStore
from orchestra.driver.local.image.layers import Layer, commit_layer
from orchestra.driver.local.image.unpack import BelowNeeded
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.errors import DriverError
from orchestra.home import Home
from orchestra.linux.process import PR_SET_PDEATHSIG, prctl


def main() -> None:
    parent = os.getppid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    home = Home(*sys.argv[1:])
    content, snapshots = ContentStore(home.content), Snapshotter(home)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(_answer(content, snapshots, Layer(**request["layer"]), request["below"])), flush=True)


def _answer(content: ContentStore, snapshots: Snapshotter, layer: Layer, below: list[str] | None) -> dict[str, Any]:
    try:
        commit_layer(content, snapshots, layer, below)
    except BelowNeeded:
        return {"done": False}
    except DriverError as error:
        return {"error": error.message, "hint": error.hint, "temporary": error.temporary}
    return {"done": True}


if __name__ == "__main__":
    main()
