"""What a supervisor watches beside its containers: the networks, which others may change, and the home's keeper."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

from orchestra.errors import DriverError
from orchestra.shim.supervision import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.driver.local.net.watch import NetworkWatch
    from orchestra.home import Home

REPAIR_PAUSE = 1.0
"""Seconds between two repairs of the networks: another program may change them again and again."""
GATHERING, IDLE = 0.2, 4
"""Seconds between two looks at what the kernel tells, and how many times as long as the last one the pause is at least:
many containers that end at once are looked at together.
"""


async def watch_networks(watch: NetworkWatch, stack: str, tell: Callable[[], None]) -> None:
    """For ever: tell if another program has changed the networks, so that the plan restores them."""
    while True:
        await anyio.wait_readable(watch)
        began = anyio.current_time()
        try:
            losses = await run_sync(watch.losses)
        except (OSError, DriverError) as error:
            losses = f"its networks cannot be looked at: {error}"
        if losses:
            print(f"stack {stack}: {losses}; restoring them", file=sys.stderr, flush=True)
            tell()
        took = anyio.current_time() - began
        await anyio.sleep(REPAIR_PAUSE if losses else max(GATHERING, took * IDLE))


async def watch_keeper(home: Home, follow: Callable[[], None]) -> None:
    """Without root, for ever: start the keeper of the home's namespaces again if it was killed.

    follow: has the ports lead to the containers anew.
    """
    from orchestra.rootless.entry import revive

    backoff = Backoff()
    while True:
        began = anyio.current_time()
        try:
            keeper = await run_sync(revive, home)
            try:
                follow()
                await anyio.wait_readable(keeper)
            finally:
                os.close(keeper)
        except OSError as error:
            print(f"the keeper of the home's namespaces cannot be started: {error}", file=sys.stderr, flush=True)
        await anyio.sleep(backoff.next_delay(anyio.current_time() - began))
