"""What steps do to the files below them: copy others, make a directory, run a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from orchestra.build.step import BaseImage, ContextFiles, Copy, MakeDirectory, Run, is_made
from orchestra.driver.local.build.copy import Owners, copy_files, make_directories
from orchestra.driver.local.build.entitlements import check_entitled, find_devices
from orchestra.driver.local.build.mounting import Sources, mounted
from orchestra.driver.local.build.run import run_command
from orchestra.driver.local.build.trees import opened_root
from orchestra.driver.local.image.failure import file_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.build.step import Graph
    from orchestra.driver.local.build.given import Given
    from orchestra.driver.local.build.runner import Runner
    from orchestra.driver.local.build.step_files import StepFiles
    from orchestra.driver.local.build.trees import Change, FileTree, Trees
    from orchestra.home import Home

    Say = Callable[[str], None]


class Maker:
    """For the steps of one graph. runner: of its builder. ending: one is readable when all is to end."""

    def __init__(
        self,
        home: Home,
        trees: Trees,
        graph: Graph,
        given: Given,
        sources: StepFiles,
        runner: Runner,
        ending: tuple[int, ...],
    ) -> None:
        self._home, self._trees, self._graph, self._given = home, trees, graph, given
        self._sources, self._runner, self._ending = sources, runner, ending

    def make(self, step: Copy | MakeDirectory | Run, below: FileTree, change: Change, say: Say) -> None:
        """Do it in a snapshot of the files below. say: hears the lines of commands. Raises OrchestraError."""
        match step:
            case Copy():
                self._copy(step, below, change)
            case MakeDirectory():
                owner = self._sources.owner(step.owner, below) or (0, 0)
                with opened_root(change) as root:
                    make_directories(root, step.path, *owner)
            case Run():
                self._run(step, below, change, say)
            case _:
                assert_never(step)

    def _copy(self, step: Copy, below: FileTree, change: Change) -> None:
        source = self._graph.steps[step.source]
        usual = None if is_made(source) or isinstance(source, BaseImage) else (0, 0)
        owners = Owners(self._sources.owner(step.owner, below), step.mode, usual)
        with file_errors("a step"), self._sources.opened(step.source) as place, opened_root(change) as root:
            copy_files(step, place, root, owners, from_context=isinstance(source, ContextFiles))

    def _run(self, step: Run, below: FileTree, change: Change, say: Say) -> None:
        sources = Sources(
            opened=self._sources.snapshot,
            fill=self._sources.fill,
            secrets=self._given.secrets,
            agents=self._given.agents,
            wait=lambda what: say(f"waiting for {what}"),
            ending=self._ending,
        )
        check_entitled(step, self._given.run, self._given.entitlements)
        user = self._sources.user(step.user, below)
        devices = find_devices(step, self._given.devices, self._given.entitlements)
        with mounted(self._home, step.mounts, sources) as mounts:
            run_command(
                self._home,
                self._runner,
                step,
                change,
                self._trees.layers(below),
                user,
                mounts,
                self._given.run,
                devices,
                self._ending,
                say,
            )
