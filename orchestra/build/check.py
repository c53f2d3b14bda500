"""``build --check``: what is allowed in a Dockerfile, but is likely to be a mistake.

The rules are those of https://docs.docker.com/reference/build-checks/.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from orchestra.build import instruction as typed
from orchestra.build.expand import ExpansionError, expand
from orchestra.build.globals import global_variables
from orchestra.build.graph import evaluate
from orchestra.build.problem import diagnose, position
from orchestra.build.rule import EXPERIMENTAL, Remark, Rule, near
from orchestra.build.stages import RESERVED, Stages
from orchestra.build.step import BaseImage, ContextFiles, Copy
from orchestra.build.steps import Steps
from orchestra.errors import FatalError, Span
from orchestra.model.platform import parse_platform
from orchestra.record import Record
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestra.build.configuration import ImageConfiguration
    from orchestra.build.dockerfile import Dockerfile
    from orchestra.build.ignore import Ignore
    from orchestra.build.lines import Line
    from orchestra.build.options import Options
    from orchestra.build.stages import NeededStage
    from orchestra.errors import Diagnostic

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = regex(
    rf"(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*(?::\w[\w.-]{{0,127}})?(?:@[a-z0-9+._-]+:[0-9a-fA-F]{{32,}})?"
    r"|(?:rootfs|oci|oci-archive|docker-archive):.+"
)
_CHECK_COMMENT = regex(r"check\s*=\s*(.+)")
_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false")


class Selection(Record):
    """Which rules count: ``skip=all;error=true``. experimental: those that are tried although they are off."""

    skipped: frozenset[Rule] = frozenset()
    experimental: frozenset[Rule] = frozenset()
    is_error: bool = False

    def has(self, rule: Rule) -> bool:
        return rule not in self.skipped and (rule not in EXPERIMENTAL or rule in self.experimental)


class Report(Record):
    """findings: what rules found, sorted by place; the code of each is the rule's name. problems: what is wrong.

    is_error: whether findings make the build fail.
    """

    findings: tuple[Diagnostic, ...]
    problems: tuple[Diagnostic, ...]
    is_error: bool = False


def check(
    dockerfile: Dockerfile,
    options: Options,
    images: Mapping[BaseImage, ImageConfiguration] | None = None,
    ignore: Ignore | None = None,
) -> Report:
    """All stages, or those that the target needs if there is one.

    images: configurations that are known. In stages that begin with another image no variable is reported as undefined.
    ignore: of the context. Raises DockerfileError if there is no such target.
    """
    stages = Stages(dockerfile, options, images or {}, all_stages=not options.target)
    problems = list(stages.problems)
    selection = _selection(dockerfile, problems)
    remarks: list[Remark] = [*_text_remarks(dockerfile), *_from_remarks(stages)]
    steps = Steps()
    if not stages.problems:
        evaluate(stages, steps, remarks.append)
        problems += stages.problems
        remarks += _ignored(dockerfile, steps, ignore)
    lines = dockerfile.source
    kept = (remark for remark in remarks if selection.has(remark.rule) and not _is_skipped(remark))
    found = {diagnose(lines, remark.message, remark.line.span, code=remark.rule): None for remark in kept}
    return Report(
        tuple(sorted(found, key=position)), tuple(sorted(dict.fromkeys(problems), key=position)), selection.is_error
    )


def parse_selection(text: str) -> Selection:
    """The value of the directive ``check``. Raises ValueError."""
    skipped: frozenset[Rule] = frozenset()
    experimental: frozenset[Rule] = frozenset()
    is_error = False
    for option in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = (part.strip() for part in option.partition("="))
        match name:
            case "skip" if equals:
                skipped = _rules(value)
            case "experimental" if equals:
                experimental = _rules(value)
            case "error" if value.lower() in _TRUE + _FALSE:
                is_error = value.lower() in _TRUE
            case _:
                raise ValueError(f"invalid check option {option!r}")
    return Selection(skipped, experimental, is_error)


def _rules(text: str) -> frozenset[Rule]:
    names = {name.strip().lower() for name in text.split(",")}
    # Names of rules that are not known do nothing: others may know them.
    return frozenset(rule for rule in Rule if rule.lower() in names or "all" in names)


def _selection(dockerfile: Dockerfile, problems: list[Diagnostic]) -> Selection:
    try:
        return parse_selection(dockerfile.directives.check)
    except ValueError as error:
        number = next(
            number for number, line in enumerate(dockerfile.source, 1) if re.match(r"\s*#\s*check\b", line, re.I)
        )
        span = Span(dockerfile.name, number, 1, number, len(dockerfile.source[number - 1]) + 1)
        hint = "write # check=skip=RULE,RULE;error=true"
        problems.append(diagnose(dockerfile.source, str(error), span, hint))
        return Selection()


def _is_skipped(remark: Remark) -> bool:
    """Whether a comment above the instruction says so."""
    for comment in remark.line.comments:
        if match := _CHECK_COMMENT.fullmatch(comment):
            try:
                return remark.rule in parse_selection(match[1]).skipped
            except ValueError:
                return False
    return False


def _instructions(dockerfile: Dockerfile) -> Iterator[typed.From | typed.Instruction]:
    """Those of all stages; not the ones before them."""
    for stage in dockerfile.stages:
        yield stage.beginning
        yield from stage.instructions


def _text_remarks(dockerfile: Dockerfile) -> Iterator[Remark]:
    """What the text alone shows."""
    lines = [one.line for one in _instructions(dockerfile)]
    yield from _casing(lines)
    for line in (*(one.line for one in dockerfile.arguments), *lines):
        if line.empty:
            yield Remark(Rule.NO_EMPTY_CONTINUATION, "Empty continuation line", line)
    for one in (*dockerfile.arguments, *_instructions(dockerfile)):
        if isinstance(one, typed.Arg):
            yield from _description(one.line, "ARG", [argument.name for argument in one.arguments])
        elif isinstance(one, typed.From) and one.name:
            yield from _description(one.line, "FROM", [one.name])
    seen: set[str] = set()
    for stage in dockerfile.stages:
        beginning = stage.beginning
        name, line = beginning.name, beginning.line
        if not name:
            continue
        if beginning.written_name != name:
            yield Remark(Rule.STAGE_NAME_CASING, f"Stage name '{beginning.written_name}' should be lowercase", line)
        keyword, written = line.keyword, beginning.written_as
        if (keyword.islower() and not written.islower()) or (keyword.isupper() and not written.isupper()):
            what = f"'{written}' and '{keyword}' keywords' casing do not match"
            yield Remark(Rule.FROM_AS_CASING, what, line)
        if name in RESERVED:
            what = f'Stage name should not use the same name as reserved stage "{name}"'
            yield Remark(Rule.RESERVED_STAGE_NAME, what, line)
        if name in seen:
            what = f'Duplicate stage name "{name}", stage names should be unique'
            yield Remark(Rule.DUPLICATE_STAGE_NAME, what, line)
        seen.add(name)


def _casing(lines: Iterable[Line]) -> Iterator[Remark]:
    keywords = [(line.keyword, line) for line in lines]
    counts = Counter(keyword.islower() for keyword, _ in keywords if keyword.islower() or keyword.isupper())
    is_lower = counts[True] > counts[False]
    right = "lowercase" if is_lower else "uppercase"
    for keyword, line in keywords:
        if not (keyword.islower() if is_lower else keyword.isupper()):
            what = f"Command '{keyword}' should match the case of the command majority ({right})"
            yield Remark(Rule.CONSISTENT_INSTRUCTION_CASING, what, line)


def _description(line: Line, keyword: str, names: list[str]) -> Iterator[Remark]:
    if line.comments and line.comments[-1].split(" ")[0] not in names:
        name = names[0] if len(names) == 1 else "<arg_key>"
        what = f"Comment for {keyword} should follow the format: `# {name} <description>`"
        yield Remark(Rule.INVALID_DEFINITION_DESCRIPTION, what, line)


def _from_remarks(stages: Stages) -> Iterator[Remark]:
    """What FROM says, with the values of its variables."""
    dockerfile = stages.dockerfile
    declared = {argument.name for one in dockerfile.arguments for argument in one.arguments}
    defaults = global_variables(dockerfile, {}, stages.beginning, stages.style, lambda *_: None)
    for index, stage in stages.needed.items():
        beginning, expanded = stage.stage.beginning, stages.expanded[index]
        known = declared | stages.variables.keys()
        for name in sorted((expanded.image.missing | expanded.platform.missing) - known):
            what = f"FROM argument '{name}' is not declared{near(name, known)}"
            yield Remark(Rule.UNDEFINED_ARG_IN_FROM, what, beginning.line)
        try:
            usual = expand(beginning.image, defaults, stages.style).text
        except ExpansionError:
            usual = ""
        if not _REFERENCE.fullmatch(usual):
            what = f"Default value for ARG {beginning.image} results in empty or invalid base image name"
            yield Remark(Rule.INVALID_DEFAULT_ARG_IN_FROM, what, beginning.line)
        yield from _platform_remarks(stages, stage)


def _platform_remarks(stages: Stages, stage: NeededStage) -> Iterator[Remark]:
    beginning, platform = stage.stage.beginning, stages.expanded[stage.stage.index].platform
    if beginning.platform and not platform.missing:
        if platform.found == {"TARGETPLATFORM"} and platform.text == stages.variables["TARGETPLATFORM"]:
            why = "in FROM is redundant as this is the default behavior"
            what = f"Setting platform to predefined {beginning.platform} {why}"
            yield Remark(Rule.REDUNDANT_TARGET_PLATFORM, what, beginning.line)
        elif not platform.found and not _names_platform(beginning.name, platform.text):
            what = f'FROM --platform flag should not use constant value "{platform.text}"'
            yield Remark(Rule.FROM_PLATFORM_FLAG_CONST_DISALLOWED, what, beginning.line)
    configuration = stages.images.get(stage.base) if isinstance(stage.base, BaseImage) else None
    actual = configuration.platform if configuration else ""
    if actual and actual.split("/")[:2] != stage.platform.split("/")[:2]:
        what = f'was pulled with platform "{actual}", expected "{stage.platform}" for current build'
        yield Remark(Rule.INVALID_BASE_IMAGE_PLATFORM, f"Base image {beginning.image} {what}", beginning.line)


def _names_platform(name: str, text: str) -> bool:
    """Whether the name of a stage says for what it is, or the platform is none."""
    try:
        platform = parse_platform(text, "")
    except FatalError:
        return True
    return platform.system in name or platform.architecture in name


def _ignored(dockerfile: Dockerfile, steps: Steps, ignore: Ignore | None) -> Iterator[Remark]:
    # With exceptions, it depends on the files whether something remains to be copied.
    if not ignore or ignore.has_exceptions:
        return
    lines = {one.line.span.line: one.line for one in _instructions(dockerfile)}
    for number, step in enumerate(steps.steps):
        if not isinstance(step, Copy) or steps.steps[step.source] != ContextFiles():
            continue
        line = lines[steps.labels[number].line]
        for path in step.paths:
            if ignore.ignores_everything if path == "." else ignore.is_ignored(path):
                verb = "Add" if line.keyword.upper() == "ADD" else "Copy"
                what = f'Attempting to {verb} file "{path}" that is excluded by .dockerignore'
                yield Remark(Rule.COPY_IGNORED_FILE, what, line)
