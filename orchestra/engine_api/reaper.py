"""Removes containers that were created with ``AutoRemove`` once they have ended.

Those that end while no process serves the API are removed when the next one begins.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from orchestra.engine_api.containers.life_cycle import remove_container
from orchestra.engine_api.world import OWN_STACK
from orchestra.errors import OrchestraError
from orchestra.model.observed import Exited

if TYPE_CHECKING:
    from orchestra.engine_api.world import World


def start_reaper(world: World) -> None:
    threading.Thread(target=_run, args=(world,), name="reaper", daemon=True).start()


def _run(world: World) -> None:
    with world.events.listener() as listener:
        while True:
            _remove_ended(world)
            listener.get()
            while not listener.queue.empty():
                listener.get()


def _remove_ended(world: World) -> None:
    for found in list(world.containers_of(OWN_STACK)):
        ended = isinstance(found.container.status, Exited) and found.made is not None and found.made.auto_remove
        if not ended or world.is_restarting(found):
            continue
        try:
            remove_container(world, found, volumes=True)
        except (OrchestraError, OSError) as error:
            print(f"container {found.name} cannot be removed: {error}", file=sys.stderr, flush=True)
