"""Watches an engine while it lives: it tells no change twice, and leaves nothing undone that it could begin."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import anyio

from orchestra.model.event import ContainerEvent
from orchestra.plan.plan import plan

if TYPE_CHECKING:
    from orchestra.driver.fake.world import World
    from orchestra.engine.loop import Engine
    from orchestra.plan.action import Action

INTERVAL = 10.0
"""Virtual seconds between two looks."""
REACTION = 0.01
"""Virtual seconds in which an engine begins what is ready; it plans in no time."""
CHANGES = ("created", "started", "exited", "removed")


class Watch:
    def __init__(self, engine: Engine, world: World) -> None:
        self._engine = engine
        self._world = world
        self._events = engine.subscribe()
        self._read = len(world.journal)
        self._untold: Counter[tuple[str, str]] = Counter()

    async def run(self) -> None:
        """Raises AssertionError as soon as something is wrong."""
        with self._events:
            while True:
                await anyio.sleep(INTERVAL)
                self._check_told()
                await self._engine.wait(lambda *_: True)
                if undone := self._undone():
                    await anyio.sleep(REACTION)
                    left = [action for action in self._undone() if action in undone]
                    assert not left or self._world.is_shifted, f"nothing begins {left[0].verb} {left[0].resource}"

    def _check_told(self) -> None:
        """What was told is at most what has happened: a view that goes back to what it was tells changes again."""
        journal = self._world.journal
        self._untold.update((entry.what, entry.name) for entry in journal[self._read :] if entry.what in CHANGES)
        self._read = len(journal)
        while self._events.statistics().current_buffer_used:
            event = self._events.receive_nowait()
            if isinstance(event, ContainerEvent):
                self._untold[event.change, event.container] -= 1
                left = self._untold[event.change, event.container]
                assert left >= 0, f"it was told once too often that {event.container} was {event.change}"

    def _undone(self) -> tuple[Action, ...]:
        engine = self._engine
        return plan(engine.desired, engine.observed, engine.in_flight(), engine.now()).ready
