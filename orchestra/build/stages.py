"""Which stages a target needs, what each begins with, and which images are needed for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.build import instruction as typed
from orchestra.build.expand import Expansion, ExpansionError, Style, expand
from orchestra.build.globals import global_variables, normal_platform, platform_variables
from orchestra.build.lines import Line, read_lines
from orchestra.build.mounts import source_of_mount
from orchestra.build.options import DirectoryContext, ImageContext
from orchestra.build.parse import parse_instruction
from orchestra.build.problem import Wrong, diagnose, refuse
from orchestra.build.step import BaseImage, ContextFiles
from orchestra.errors import DockerfileError, FatalError, Span
from orchestra.nearest import suggest
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestra.build.configuration import ImageConfiguration
    from orchestra.build.dockerfile import Dockerfile, Stage
    from orchestra.build.options import Options
    from orchestra.errors import Diagnostic

SCRATCH = "scratch"
RESERVED = frozenset({SCRATCH, "context"})
"""Names that no named context takes the place of."""
MAXIMUM_TOTAL = 64 * 1024**2
"""Characters that all values and texts of one build may have."""


class StageSource(Record):
    """An earlier stage."""

    index: int


class NothingSource(Record):
    """``scratch``."""


Source = StageSource | NothingSource | BaseImage | ContextFiles


class NeededStage(Record):
    """A stage with what it begins with, and all its instructions: those of ONBUILD come first.

    triggers: how many come from ONBUILD. platform: as in BaseImage. replaced: a named context takes its place, so
    that it has no instructions. sources: what its instructions name, by the name.
    """

    stage: Stage
    base: Source
    platform: str
    instructions: tuple[typed.Instruction, ...]
    triggers: int
    sources: Mapping[str, Source]
    replaced: bool = False

    @property
    def needs(self) -> Iterator[Source]:
        yield self.base
        yield from self.sources.values()


class Expanded(Record):
    """What FROM says, with the values of its variables."""

    image: Expansion
    platform: Expansion


class Stages:
    """The stages of one build. Mistakes are collected; ``refuse`` raises them."""

    def __init__(
        self,
        dockerfile: Dockerfile,
        options: Options,
        images: Mapping[BaseImage, ImageConfiguration],
        *,
        all_stages: bool = False,
    ) -> None:
        """images: those that are known, for their ONBUILD. all_stages: needed by the target or not."""
        self.dockerfile = dockerfile
        self.options = options
        self.images = images
        self.style = Style(escape=dockerfile.directives.escape)
        self.problems: list[Diagnostic] = []
        self.spent = 0
        self.names = {stage.name: stage.index for stage in reversed(dockerfile.stages) if stage.name}
        self.contexts = {_familiar(name): (name, context) for name, context in options.contexts.items()}
        self.target = self._find_target()
        try:
            self.platform = str(normal_platform(options.platform))
            beginning = platform_variables(options, dockerfile.stages[self.target].name)
        except FatalError as error:
            self.problems.append(
                diagnose(dockerfile.source, error.message, Span(dockerfile.name, 1, 1, 1, 2), error.hint)
            )
            self.refuse()
            raise
        self.beginning = beginning
        self.variables = global_variables(dockerfile, options.arguments, beginning, self.style, self.report)
        self.expanded: dict[int, Expanded] = {}
        self.needed: dict[int, NeededStage] = {}
        self.places: dict[Source, Line] = {}
        """Where each source is first named."""
        for index in range(len(dockerfile.stages)) if all_stages else (self.target,):
            self._need(index)

    def report(self, line: Line, error: Wrong) -> None:
        place = line.place(*error.part) if error.part else line.span
        self.problems.append(diagnose(self.dockerfile.source, error.message, place, error.hint))

    def spend(self, characters: int) -> None:
        """Raises Wrong if values with variables have become too much."""
        self.spent += characters
        if self.spent > MAXIMUM_TOTAL:
            raise Wrong(f"with their variables the instructions are longer than {MAXIMUM_TOTAL // 1024**2} MiB")

    def refuse(self) -> None:
        """Raises DockerfileError with all the mistakes that were found, if there are any."""
        refuse(dict.fromkeys(self.problems))

    def images_needed(self) -> dict[BaseImage, Line]:
        """Each with the instruction that names it, in the order of the file."""
        found = (source for stage in self.needed.values() for source in stage.needs if isinstance(source, BaseImage))
        return {image: self.places[image] for image in found}

    def _find_target(self) -> int:
        stages, wanted = self.dockerfile.stages, self.options.target
        if not wanted:
            return len(stages) - 1
        if (index := self.names.get(wanted.lower())) is not None:
            return index
        if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 and int(wanted) < len(stages):
            return int(wanted)
        span = stages[-1].beginning.line.span
        hint = suggest(wanted, self.names, "stages") or "no stage has a name"
        message = f'target stage "{wanted}" could not be found'
        raise DockerfileError((diagnose(self.dockerfile.source, message, span, hint),))

    def _need(self, first: int) -> None:
        waiting = [first]
        while waiting:
            index = waiting.pop()
            if index in self.needed:
                continue
            stage = self._resolve(self.dockerfile.stages[index])
            self.needed[index] = stage
            waiting += [source.index for source in stage.needs if isinstance(source, StageSource)]
        self.needed = dict(sorted(self.needed.items()))

    def _resolve(self, stage: Stage) -> NeededStage:
        beginning = stage.beginning
        platform = self._platform(stage)
        if stage.name and (context := self._context(stage.name, platform)) is not None:
            self.places.setdefault(context, beginning.line)
            return NeededStage(stage, context, platform, (), 0, {}, replaced=True)
        image = self._expand(beginning.line, beginning.image)
        self.expanded[stage.index] = Expanded(image, self.expanded[stage.index].platform)
        name = image.text
        if not name:
            hint = suggest(next(iter(image.missing)), self.variables, "arguments") if image.missing else ""
            self.report(beginning.line, Wrong(f"base name ({beginning.image}) should not be blank", hint))
            name = SCRATCH
        base = self._base(stage, name, platform)
        self.places.setdefault(base, beginning.line)
        triggers = self._triggers(stage, base)
        instructions = (*triggers, *stage.instructions)
        sources: dict[str, Source] = {}
        for one in instructions:
            for wanted in _sources_of(one):
                try:
                    sources[wanted] = self._source(stage, wanted)
                except Wrong as error:
                    self.report(one.line, error)
                else:
                    self.places.setdefault(sources[wanted], one.line)
        return NeededStage(stage, base, platform, instructions, len(triggers), sources)

    def _platform(self, stage: Stage) -> str:
        beginning = stage.beginning
        expansion = self._expand(beginning.line, beginning.platform)
        self.expanded[stage.index] = Expanded(Expansion("", (), frozenset(), frozenset()), expansion)
        if not beginning.platform:
            return self.platform
        if not expansion.text:
            hint = suggest(next(iter(expansion.missing)), self.variables, "arguments") if expansion.missing else ""
            self.report(beginning.line, Wrong(f"empty platform value from expression {beginning.platform}", hint))
            return self.platform
        try:
            return str(normal_platform(expansion.text))
        except FatalError as error:
            self.report(beginning.line, Wrong(error.message, error.hint))
            return self.platform

    def _expand(self, line: Line, text: str) -> Expansion:
        try:
            return expand(text, self.variables, self.style)
        except ExpansionError as error:
            self.report(line, Wrong(str(error)))
            # Its own text is as good as any, so that nothing else is reported because of it.
            return Expansion(text, (), frozenset(), frozenset())

    def _context(self, name: str, platform: str) -> Source | None:
        """What a named context stands for, if there is one."""
        match None if name.lower() in RESERVED else self.contexts.get(_familiar(name)):
            case None:
                return None
            case written, DirectoryContext():
                return ContextFiles(written)
            case _, ImageContext(reference):
                return BaseImage(reference, platform)

    def _base(self, stage: Stage, name: str, platform: str) -> Source:
        earlier = [one.index for one in self.dockerfile.stages[: stage.index] if one.name and one.name == name.lower()]
        if earlier:
            return StageSource(earlier[-1])
        if name.lower() == SCRATCH:
            return NothingSource()
        return self._context(name, platform) or BaseImage(name, platform)

    def _source(self, stage: Stage, name: str) -> Source:
        """What ``--from`` or a mount's ``from`` names. Raises Wrong."""
        if name.isascii() and name.isdigit() and len(name) < 10:
            index = int(name)
            if index >= len(self.dockerfile.stages):
                raise Wrong(f"invalid stage index {index}", f"there are stages 0 to {len(self.dockerfile.stages) - 1}")
        elif name.lower() in self.names:
            index = self.names[name.lower()]
        elif name.lower() == SCRATCH:
            return NothingSource()
        else:
            return self._context(name, self.platform) or BaseImage(name, self.platform)
        if index == stage.index:
            raise Wrong(f"circular dependency detected on stage: {name}", "a stage cannot take files from itself")
        if index > stage.index:
            what = f'cannot copy from stage "{name}", it needs to be defined before current stage "{_shown(stage)}"'
            raise Wrong(what, "move that stage above this one")
        return StageSource(index)

    def _triggers(self, stage: Stage, base: Source) -> tuple[typed.Instruction, ...]:
        """The instructions that the base has for the stages that begin with it."""
        if isinstance(base, BaseImage):
            known = self.images.get(base)
            texts = known.on_build if known else ()
        elif isinstance(base, StageSource):
            before = self.dockerfile.stages[base.index].instructions
            texts = tuple(one.trigger for one in before if isinstance(one, typed.Onbuild))
        else:
            texts = ()
        found: list[typed.Instruction] = []
        for text in texts:
            try:
                found.append(self._trigger(stage, text))
            except Wrong as error:
                self.report(stage.beginning.line, Wrong(f"ONBUILD {text}: {error.message}", error.hint))
        return tuple(found)

    def _trigger(self, stage: Stage, text: str) -> typed.Instruction:
        read = read_lines(text, self.dockerfile.name)
        if read.problems:
            raise Wrong(read.problems[0].message, read.problems[0].hint)
        if len(read.lines) != 1:
            raise Wrong("onbuild trigger should be a single expression")
        # Its text is not in this file: the place to show is that of FROM.
        start = stage.beginning.line
        line = read.lines[0]
        shown = Line(start.path, line.text, ((0, start.span.line, start.span.column),), start.span.line, line.documents)
        try:
            one = parse_instruction(shown, "\\")
        except Wrong as error:
            raise Wrong(error.message, error.hint) from None
        if isinstance(one, typed.From | typed.Onbuild | typed.Maintainer):
            raise Wrong(f"{line.keyword.upper()} isn't allowed as an ONBUILD trigger")
        return one


def _sources_of(one: typed.Instruction) -> Iterator[str]:
    """The names of what an instruction takes files from."""
    if isinstance(one, typed.Copy) and one.source:
        if "$" in one.source[:-1]:
            return
        yield one.source
    elif isinstance(one, typed.Run):
        yield from (source for source in map(source_of_mount, one.mounts) if source and "$" not in source[:-1])


def _familiar(name: str) -> str:
    """A name of an image or a stage as named contexts are found by: without what Docker adds to it."""
    return name.lower().removeprefix("docker.io/").removeprefix("library/").removesuffix(":latest")


def _shown(stage: Stage) -> str:
    return stage.name or f"stage-{stage.index}"
