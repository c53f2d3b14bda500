"""The load as a whole: the order of the passes, and where each set of problems is reported."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestra.compose.assemble import Assembler, declared_name
from orchestra.compose.checks import check
from orchestra.compose.complete import complete
from orchestra.compose.context import Context
from orchestra.compose.discovery import discover, project_name, with_name
from orchestra.compose.normalise import normalise
from orchestra.compose.problems import Problems, position
from orchestra.compose.reader import Reader
from orchestra.compose.select import active_profiles, select
from orchestra.compose.validate import validate
from orchestra.errors import UserError

if TYPE_CHECKING:
    from orchestra.compose.request import Inputs, LoadRequest
    from orchestra.compose.schema.stack import Stack
    from orchestra.errors import Diagnostic
    from orchestra.state.desired import Desired


@dataclass(frozen=True, slots=True)
class Loaded:
    """stack: complete, with the active services only. not_applied: what has no effect on the containers, and why."""

    stack: Stack
    desired: Desired
    warnings: tuple[Diagnostic, ...]
    not_applied: tuple[Diagnostic, ...]
    inputs: Inputs


def load(request: LoadRequest) -> Loaded:
    """Everything from files to ``Desired``.

    Raises ComposeError with all the problems of the first phase that has any (reading; interpolation, merge and
    schema; consistency), ComposeFileNotFound, and UserError for a request that does not fit the files.
    """
    reader, problems = Reader(request.environment), Problems()
    project = discover(request, reader, problems)
    assembler = Assembler(reader, problems)
    documents = tuple(document for path in project.files for document in assembler.parse(path) or ())
    problems.raise_errors()
    name = project_name(request, project, declared_name(documents, project.environment, Problems()))
    project = with_name(project, name)
    document = assembler.assemble(project.files, project.directory, project.environment)
    declared = validate(document, problems)
    problems.raise_errors()
    assert declared is not None, "the schema refused the document without a word"
    for asked in (*request.services, *request.scale):
        if asked not in declared.services:
            close = difflib.get_close_matches(asked, declared.services, n=1)
            hint = f"did you mean {close[0]}?" if close else f"services are {', '.join(sorted(declared.services))}"
            raise UserError(f"no such service: {asked}", hint=hint)
    profiles = active_profiles(declared, project.profiles, request.services)
    stack = select(declared, profiles, request.services, no_deps=request.no_deps)
    completed = complete(stack, name, document, project, reader, problems)
    context = Context(completed, document, project, reader, problems)
    check(context, declared, request.scale)
    problems.raise_errors()
    desired = normalise(context, declared.services, request.scale)
    problems.raise_errors()
    return Loaded(
        stack=completed,
        desired=desired,
        warnings=tuple(sorted(problems.warnings, key=position)),
        not_applied=tuple(sorted(problems.not_applied, key=position)),
        inputs=reader.inputs,
    )
