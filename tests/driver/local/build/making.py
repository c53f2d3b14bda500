"""Builds of graphs that are written by hand."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from orchestra.build.event import Planned, StepDone, StepStarted
from orchestra.build.ignore import Ignore
from orchestra.build.step import BaseImage, Graph, History, Label, Network, Result, Run, Scratch
from orchestra.driver.local.build.builder import opened_builder
from orchestra.driver.local.build.given import Directory, Given, RunOptions
from orchestra.driver.local.image.store import ImageStore

if TYPE_CHECKING:
    from pathlib import Path

    from orchestra.build.event import BuildEvent
    from orchestra.build.step import Step
    from orchestra.driver.local.image.adding import Added
    from orchestra.home import Home

PLATFORM = "linux/amd64"
MACHINE = BaseImage("rootfs:/", PLATFORM)
PATH = (("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),)


def graph(*steps: Step, config: dict[str, object] | None = None, uncached: frozenset[int] = frozenset()) -> Graph:
    """Its last step is the result; the others before it are in its history."""
    last = len(steps) - 1
    base = next(number for number, step in enumerate(steps) if isinstance(step, Scratch | BaseImage))
    layered = [number for number, step in enumerate(steps) if hasattr(step, "base")]
    labels = {
        number: Label("", position, len(layered), f"step {number}", number + 1, number + 1)
        for position, number in enumerate(layered, 1)
    }
    history = tuple(History(f"step {number}", number) for number in _chain(steps, last))
    return Graph(steps, labels, Result(last, base, config or {}, history, PLATFORM), uncached)


def _chain(steps: tuple[Step, ...], number: int) -> list[int]:
    step = steps[number]
    return [*_chain(steps, step.base), number] if hasattr(step, "base") else []


def shell(base: int, command: str, **more: object) -> Run:
    return Run(base, ("/bin/sh", "-ec", command), PATH, **more)


class Built:
    """events: all. made: the numbers of the steps that were carried out."""

    def __init__(self, home: Home, added: Added, events: list[BuildEvent]) -> None:
        self.id, self.digest = added
        self.events = events
        self._layers = ImageStore(home).resolve(added.digest).layers

    @property
    def made(self) -> list[int]:
        return sorted(event.step for event in self.events if isinstance(event, StepDone) and not event.cached)

    @property
    def started(self) -> list[int]:
        return sorted(event.step for event in self.events if isinstance(event, StepStarted))

    @property
    def cached(self) -> list[int]:
        [planned] = [event for event in self.events if isinstance(event, Planned)]
        return sorted(number for number in planned.cached if hasattr(planned.graph.steps[number], "base"))

    def files(self, *, top: str = "") -> dict[str, str]:
        """What the layers of ours hold: paths with types, modes, owners and contents."""
        found: dict[str, str] = {}
        for layer in reversed([one for one in self._layers if "/snapshots/layers/" in one]):
            for path, directories, files in os.walk(layer):
                for name in sorted((*directories, *files)):
                    here = f"{path}/{name}"
                    key = os.path.relpath(here, layer)
                    if key == top or key.startswith(f"{top}/" if top else ""):
                        found[key] = describe(here)
        return dict(sorted(found.items()))


def describe(path: str) -> str:
    status = os.lstat(path)
    owner = f" {status.st_uid}:{status.st_gid}" if status.st_uid or status.st_gid else ""
    mode = f"{stat.S_IMODE(status.st_mode):o}"
    if stat.S_ISLNK(status.st_mode):
        return f"-> {os.readlink(path)}{owner}"
    if stat.S_ISDIR(status.st_mode):
        return f"dir {mode}{owner}"
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            return f"{mode}{owner} {file.read(80).decode(errors='replace')}"
    return f"{stat.S_IFMT(status.st_mode):o} {mode}{owner}"


def build(
    home: Home,
    wanted: Graph,
    context: Path | None = None,
    *,
    ignore: tuple[str, ...] = (),
    names: tuple[str, ...] = (),
    hear=None,
    **more: object,
) -> Built:
    events: list[BuildEvent] = []

    def take(event: BuildEvent) -> None:
        events.append(event)
        if hear is not None:
            hear(event)

    directories = {"": Directory(str(context), "the context", Ignore(ignore))} if context else {}
    given = Given(directories, {}, RunOptions(more.pop("network", Network.NONE)), **more)
    images = [step for step in wanted.steps if isinstance(step, BaseImage)]
    with opened_builder(home) as builder:
        bases = {one: builder.prepare(one, str(context or "/"), pull=False, hear=take) for one in images}
        return Built(home, builder.build(wanted, given, bases, names, take), events)
