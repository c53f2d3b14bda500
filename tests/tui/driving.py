"""A dashboard that a test drives: Textual's pilot presses keys, and the text of the screen is looked at."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from orchestra.home import Home
from orchestra.model.project import Project
from orchestra.stacks.containers import find_stack
from orchestra.stacks.context import Context
from orchestra.tui.app import Dashboard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot

    from tests.examples.conftest import Orchestra

SECONDS = 40


class Screen:
    def __init__(self, app: Dashboard, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def text(self) -> str:
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.text.splitlines()]

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        await self.pilot.press("ctrl+a", "ctrl+k", *text, "enter")

    async def until(self, question, what: object = "") -> None:
        """Until it is true of this screen: looked at again after each of its messages."""
        deadline = time.monotonic() + SECONDS
        while not question(self):
            assert time.monotonic() < deadline, f"not within {SECONDS} s: {what}\n{self.text}"
            await self.pilot.pause(0.02)

    async def shows(self, *texts: str) -> None:
        for text in texts:
            await self.until(lambda screen, text=text: text in screen.text, text)

    async def choose(self, service: str) -> None:
        """Put the cursor on its line."""
        await self.until(lambda screen: any(line.service == service for line in screen.app.board.lines), service)
        wanted = next(i for i, line in enumerate(self.app.board.lines) if line.service == service)
        self.app.table.put_cursor(wanted)
        await self.pilot.pause()


@asynccontextmanager
async def dashboard(context: Context, *, size=(80, 24), own=None, stacks=(), opened=None) -> AsyncIterator[Screen]:
    """opened: a list that takes the addresses that are opened."""

    def open_address(address: str) -> str:
        opened.append(address)
        return f"opening {address}"

    app = Dashboard(context, stacks, own, open_address)
    async with app.run_test(size=size, notifications=True) as pilot:
        yield Screen(app, pilot)


def context_for(stack: Orchestra, driver: str = "local") -> Context:
    """Of a user who stands in the folder of the stack."""
    home = Home(f"{stack.home}/data", f"{stack.home}/run")
    project = Project(files=(str(stack.file),))
    return Context(home, driver, project, stack.environment, str(stack.folder))


def drive(scenario) -> None:
    asyncio.run(scenario())


def own_of(context: Context):
    return find_stack(context)
