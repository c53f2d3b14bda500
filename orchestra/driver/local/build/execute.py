"""Carrying out the steps of one build: what is known already is taken, the rest is made, several at a time."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from orchestra.build.event import Planned, StageOutput, StepDone, StepFailed, StepOutput, StepStarted
from orchestra.build.key import parents_of, step_key
from orchestra.build.step import (
    BaseImage,
    Copy,
    MakeDirectory,
    Run,
    Scratch,
    is_made,
)
from orchestra.driver.local.build.records import Made, StepRecords
from orchestra.driver.local.build.step_files import StepFiles
from orchestra.driver.local.build.trees import FileTree
from orchestra.driver.local.build.waiting import Interrupted
from orchestra.driver.local.image.failure import file_errors
from orchestra.errors import DriverError, EnvironmentLack, OrchestraError
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.build.attestation.statement import Material
    from orchestra.build.cache import CachedStep
    from orchestra.build.event import BuildEvent
    from orchestra.build.step import Graph
    from orchestra.driver.local.build.cache_from import Caches
    from orchestra.driver.local.build.given import Given
    from orchestra.driver.local.build.layer import Layers
    from orchestra.driver.local.build.making import Maker
    from orchestra.driver.local.build.runner import Runner
    from orchestra.driver.local.build.step_files import Files
    from orchestra.driver.local.build.trees import Trees
    from orchestra.home import Home

AT_ONCE = 8
LAST_LINES = 20
FETCH = "loading cached layers"


class StepError(OrchestraError):
    """A step failed. lines: the last of its output. label: of the step, if it has one. cause: what happened."""

    def __init__(self, graph: Graph, step: int, lines: tuple[str, ...], cause: OrchestraError) -> None:
        super().__init__(cause.message, hint=cause.hint)
        self.step, self.lines, self.cause = step, lines, cause
        self.label = graph.labels.get(step)


class Execution:
    """One graph. trees, layers and runner are those of its builder."""

    def __init__(
        self,
        home: Home,
        trees: Trees,
        layers: Layers,
        graph: Graph,
        given: Given,
        caches: Caches | None,
        runner: Runner,
        cancelled: int,
        hear: Callable[[BuildEvent], None],
    ) -> None:
        """cancelled: readable when all is to end."""
        self._caches, self._runner = caches, runner
        self._distant: set[int] = set()
        """Steps whose trees are known from elsewhere, and may not be here."""
        self.has_grown = False
        """Whether a result is remembered that was not there before."""
        self._home, self._trees, self._layers, self._graph, self._given = home, trees, layers, graph, given
        self._hear = hear
        self._records = StepRecords(home)
        self._exported = {entry.step for entry in graph.result.history}
        self._files: dict[int, Files] = {}
        self._keys: dict[int, str] = {}
        self._same: dict[int, str] = {}
        """Keys by which the same is known whatever the stages are that files were copied from, where they differ."""
        self._again: set[int] = set()
        """Steps that were carried out although their result was known, and those that are another thing by that."""
        self.made: dict[int, Made] = {}
        """What is known of steps that make trees."""
        self._sources = StepFiles(home, trees, graph, given, self.made)
        self._lock = threading.Condition()
        self._errors: list[tuple[int, BaseException]] = []
        self._last: dict[int, deque[str]] = {}
        self._failed, self._fail = os.pipe2(os.O_CLOEXEC)
        self._ending = (self._failed, cancelled)

    def close(self) -> None:
        os.close(self._failed)
        os.close(self._fail)

    def run(self) -> None:
        """Raises StepError for the first step that failed; the others have ended by then."""
        self._find_keys()
        cached = self._find_made()
        if self._distant and not self._bring(cached):
            cached = self._find_made()
        bases = {number for number, step in enumerate(self._graph.steps) if isinstance(step, BaseImage)}
        self._hear(Planned(self._graph, frozenset(cached | bases)))
        if needed := self._find_needed(cached):
            self._check_processors(needed)
            self._carry_out(needed)

    # Keys

    def _find_keys(self) -> None:
        for number in range(len(self._graph.steps)):
            try:
                self._files[number] = self._sources.find(number)
            except (OrchestraError, OSError) as error:
                raise self._error(number, error) from error
            self._keys[number] = self._key(number, self._keys)
        self._sources.store()

    def _key(self, number: int, keys: Mapping[int, str], files: str = "") -> str:
        step = self._graph.steps[number]
        key = step_key(step, keys, files or self._files[number].digest)
        if self._given.epoch is not None and is_made(step):
            # Files are made no newer than that.
            key = hashlib.sha256(f"{key} {self._given.epoch}".encode()).hexdigest()
        return key

    # What is known

    def _find_made(self) -> set[int]:
        """The steps that need not be carried out."""
        cached: set[int] = set()
        stale = set(self._graph.uncached)
        for number, step in enumerate(self._graph.steps):
            if any(parent in stale for parent in parents_of(step)):
                stale.add(number)
            match step:
                case Scratch():
                    self.made[number] = Made(FileTree(), 0.0, "", grew=False)
                case BaseImage():
                    self.made[number] = Made(self._given.trees[step], 0.0, "", grew=False)
                case Copy() | MakeDirectory() | Run():
                    made = None if number in stale else self._known(number, step, self._keys[number])
                    if made is None and number not in stale:
                        made = self._offered(number, step)
                    if made is not None:
                        self.made[number] = made
                        cached.add(number)
        return cached

    def _known(self, number: int, step: Copy | MakeDirectory | Run, key: str) -> Made | None:
        """What the step made in an earlier build, if that lies on what its base is now, and is whole."""
        made = self._records.find(key)
        if made is None or not self._lies_on_base(made, step) or not self._trees.is_whole(made.tree):
            return None
        self._records.touch(key)
        if made.same_as:
            self._same[number] = made.same_as
        return made

    def _offered(self, number: int, step: Copy | MakeDirectory | Run) -> Made | None:
        """What the step made elsewhere, if that lies on what its base is now."""
        made = self._caches.find(self._keys[number]) if self._caches else None
        if made is None or not self._lies_on_base(made, step):
            return None
        self._distant.add(number)
        return made

    def _lies_on_base(self, made: Made, step: Copy | MakeDirectory | Run) -> bool:
        below = self.made.get(step.base)
        before = made.tree.diff_ids[:-1] if made.grew else made.tree.diff_ids
        return below is not None and (before, made.tree.base) == (below.tree.diff_ids, below.tree.base)

    def _bring(self, cached: set[int]) -> bool:
        """Fetch the trees that are needed here. If one cannot be fetched, none count any more, and it is said."""
        wanted = set(self._graph.wanted)
        for number in self._find_needed(cached):
            wanted.update(parents_of(self._graph.steps[number]))
        if any(target.every_step for target in self._given.cache_to):
            wanted |= self._distant
        assert self._caches is not None  # it has offered them
        began = time.monotonic()
        self._hear(StageOutput(FETCH))
        try:
            for number in sorted(wanted & self._distant):
                self._caches.fetch(self.made[number].tree)
        except DriverError as error:
            line = f"warning: caches from elsewhere are not used: {error}"
            self._hear(StageOutput(FETCH, line, time.monotonic() - began, done=True))
            self._caches.forget()
            self._distant.clear()
            self.made.clear()
            return False
        self.has_grown = True
        for number in self._distant:
            made = self.made[number]
            if self._trees.is_whole(made.tree):
                size = self._trees.top_size(made.tree) if made.grew else 0
                self._records.store(self._keys[number], replace(made, size=size))
        self._hear(StageOutput(FETCH, "", time.monotonic() - began, done=True))
        return True

    def cached_steps(self, *, every: bool) -> list[CachedStep]:
        """What other builds can take over. every: of all stages, not only of the one that is the result."""
        from orchestra.driver.local.build.cache_to import cached_steps

        return cached_steps(self._graph, self.made, self._keys, self._given.epoch, every=every)

    def materials(self) -> tuple[Material, ...]:
        """What was fetched for ADD."""
        return tuple(self._sources.materials())

    def _find_needed(self, cached: set[int]) -> set[int]:
        needed: set[int] = set()
        asked = self._graph.wanted
        while asked:
            number = asked.pop()
            if number not in needed and number not in cached and is_made(self._graph.steps[number]):
                needed.add(number)
                asked += parents_of(self._graph.steps[number])
        return needed

    # Carrying out

    def _check_processors(self, needed: set[int]) -> None:
        from orchestra.driver.local.build.processors import check_processor

        for number in sorted(needed):
            try:
                check_processor(self._graph, number)
            except EnvironmentLack as error:
                raise self._error(number, error) from error

    def _carry_out(self, needed: set[int]) -> None:
        waiting = set(needed)
        running: set[int] = set()

        def end(number: int) -> None:
            with self._lock:
                running.discard(number)
                self._lock.notify()

        with self._lock:
            try:
                while (waiting and not self._errors) or running:
                    ready = [n for n in sorted(waiting) if not self._blocked(n, waiting | running)]
                    if self._errors:
                        ready = []
                    for number in ready[: AT_ONCE - len(running)]:
                        waiting.discard(number)
                        running.add(number)
                        threading.Thread(target=self._step, args=(number, end), daemon=True).start()
                    self._lock.wait()
            except BaseException:
                os.write(self._fail, b"x")
                while running:
                    self._lock.wait()
                raise
        if self._errors:
            number, error = self._errors[0]
            raise self._error(number, error) from error

    def _blocked(self, number: int, unfinished: set[int]) -> bool:
        return any(parent in unfinished for parent in parents_of(self._graph.steps[number]))

    def _step(self, number: int, end: Callable[[int], None]) -> None:
        began = time.monotonic()
        try:
            self._hear(StepStarted(number))
            made, is_known = self._make(number)
            self.made[number] = made
            self._hear(StepDone(number, time.monotonic() - began, cached=is_known))
        except BaseException as error:  # it belongs to the thread that waits for this one
            with self._lock:
                is_first = not self._errors
                if is_first:
                    self._errors.append((number, error))
            if is_first:
                os.write(self._fail, b"x")
            if not isinstance(error, Interrupted):
                self._hear(StepFailed(number, time.monotonic() - began, str(error)))
        finally:
            end(number)

    def _make(self, number: int) -> tuple[Made, bool]:
        """What the step makes, and whether another builder has just made it."""
        step = self._graph.steps[number]
        assert is_made(step)
        key = self._keys[number] = self._key(number, self._keys)
        wait = partial(self._say, number, "waiting for another build of this step")
        with self._records.locked(key, wait, self._ending):
            if (known := self._find_again(number, step)) is not None:
                return known, True
            maker = self._maker()
            below = self.made[step.base].tree
            with self._trees.changing(below) as change:
                maker.make(step, below, change, partial(self._say, number))
                tree = self._layers.commit(below, change, exported=number in self._exported)
            label = self._graph.labels.get(number)
            name = label.text if label else ""
            made = Made(tree, time.time(), name, grew=tree != below, same_as=self._same.get(number, ""))
            if made.grew:
                made = replace(made, size=self._trees.top_size(tree))
            if self._was_touched(number):
                self._say(number, "files of the context changed while they were read: build again")
                # What was made is used, and never taken for the result of what was read before.
                self._keys[number] = self._same[number] = os.urandom(32).hex()
                return made, False
            for each in filter(None, (key, made.same_as)):
                self._records.store(each, made)
            self.has_grown = True
        return made, False

    def _find_again(self, number: int, step: Copy | MakeDirectory | Run) -> Made | None:
        """What another builder has made meanwhile, or what was made before of the same files of other stages."""
        parents = set(parents_of(step)) - ({step.source} if isinstance(step, Copy) else set())
        if number in self._graph.uncached or parents & self._again:
            self._again.add(number)
            return None
        key = self._keys[number]
        before = self._known(number, step, key)
        is_open = isinstance(step, Copy) and step.source in self._again
        if before is not None and not is_open:
            return before
        same = self._key(number, {**self._keys, **self._same}, self._sources.copied_content(step))
        known = self._known(number, step, same) if same != key else None
        if same != key:
            self._same[number] = same
        if known is not None:
            self._records.store(key, known)
        if is_open and (known is None or before is None or known.tree != before.tree):
            self._again.add(number)
        return known

    def _was_touched(self, number: int) -> bool:
        """Whether files of a context changed after their digest was taken: something else may have been copied."""
        before = self._files[number]
        return bool(before.moment) and self._sources.find(number) != before

    def _maker(self) -> Maker:
        """Its modules cost a build in which nothing has changed more than all else that it does."""
        from orchestra.driver.local.build.making import Maker

        return Maker(self._home, self._trees, self._graph, self._given, self._sources, self._runner, self._ending)

    def _say(self, number: int, line: str) -> None:
        self._last.setdefault(number, deque(maxlen=LAST_LINES)).append(line)
        self._hear(StepOutput(number, line))

    def _error(self, number: int, error: BaseException) -> BaseException:
        if isinstance(error, OSError):
            try:
                with file_errors("a step"):
                    raise error
            except OrchestraError as told:
                error = told
        if not isinstance(error, OrchestraError):
            return error
        return StepError(self._graph, number, tuple(self._last.get(number, ())), error)
