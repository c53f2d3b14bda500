"""The load as a whole: the order of the passes, and where each set of problems is reported."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestra.compose.addresses import static_addresses
from orchestra.compose.assemble import ALL_PASSES, Assembler, declared_name
from orchestra.compose.automatic_ports import has_automatic_ports
from orchestra.compose.checks import check
from orchestra.compose.complete import complete
from orchestra.compose.context import Context
from orchestra.compose.discovery import discover, project_name, with_name
from orchestra.compose.normalise import normalise, service_digest
from orchestra.compose.problems import Problems, position
from orchestra.compose.reader import Reader
from orchestra.compose.select import active_profiles, left_out, select
from orchestra.compose.validate import validate
from orchestra.compose.watching import watch_rules
from orchestra.errors import UserError
from orchestra.model.names import ServiceName
from orchestra.named_tuple import NamedTuple
from orchestra.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from orchestra.compose.discovery import Project
    from orchestra.compose.nodes import Map
    from orchestra.compose.request import Inputs, LoadRequest, Passes
    from orchestra.compose.schema.stack import Stack
    from orchestra.errors import Diagnostic
    from orchestra.model.desired import Desired
    from orchestra.model.watch import WatchRule


class Loaded(Record):
    """stack: complete, with the active services only. not_applied: attributes that have no effect on the containers,
    and why.

    profiles: all in the file. hashes: of the definition of each active service. watch: rules of the chosen services.
    separator: between the parts of names.
    """

    stack: Stack
    desired: Desired
    warnings: tuple[Diagnostic, ...]
    not_applied: tuple[Diagnostic, ...]
    inputs: Inputs
    profiles: tuple[str, ...]
    hashes: Mapping[str, str]
    watch: tuple[WatchRule, ...]
    separator: str = "-"


class Assembled(Record):
    """The files merged into one document, before it is interpreted. ``name`` is that of the stack."""

    request: LoadRequest
    name: str
    document: Map
    project: Project
    assembler: Assembler

    @property
    def reader(self) -> Reader:
        return self.assembler.reader

    @property
    def problems(self) -> Problems:
        return self.assembler.problems


def assemble(request: LoadRequest, passes: Passes = ALL_PASSES) -> Assembled:
    """The first half of a load. Mistakes in the document are left in ``problems``, except those of reading."""
    reader, problems = Reader(request.environment, request.fetch, request.note, request.given), Problems()
    project = discover(request, reader, problems)
    assembler = Assembler(reader, problems, passes)
    documents = tuple(document for path in project.files for document in assembler.parse(path) or ())
    if problems.unreadable:
        problems.raise_errors()
    name = project_name(request, project, declared_name(documents, project.environment, Problems()))
    project = with_name(project, name)
    document = assembler.assemble(project.files, project.directory, project.environment)
    project = replace(project, lent=assembler.lent)
    return Assembled(request, name, document, project, assembler)


class Declared(NamedTuple):
    """The valid parts of what the files declare. stack: all of it; wanted: only the services that are wanted.

    document: the source of the stack; what was refused is in neither of them.
    """

    stack: Stack
    wanted: Stack
    document: Map


def declare(assembled: Assembled) -> Declared:
    """What the files declare. Mistakes are left in ``problems``. Raises UserError for an unknown service."""
    request, problems = assembled.request, assembled.problems
    document, stack = validate(assembled.document, problems)
    try:
        find_services(stack.services, (*request.services, *request.scale))
    except UserError as error:
        if problems.errors:
            problems.error("undefined", error.message, hint=error.hint)
        problems.raise_errors()
        raise
    profiles = active_profiles(stack, assembled.project.profiles, request.services)
    wanted = select(stack, profiles, request.services, no_deps=request.no_deps)
    return Declared(stack, wanted, document)


def find_services(declared: Collection[str], asked: Collection[str]) -> None:
    """Raise UserError if a service is asked for but not declared."""
    for name in asked:
        if name not in declared:
            import difflib

            close = difflib.get_close_matches(name, sorted(declared)[:1000], n=1)
            hint = f"did you mean {close[0]}?" if close else f"services are {', '.join(sorted(declared)[:50])}"
            raise UserError(f"no such service: {name}", hint=hint)


def with_runtime(stack: Stack, runtime: str) -> Stack:
    """The stack with this runtime for each service that names none."""
    services = {
        name: service if service.runtime else replace(service, runtime=runtime)
        for name, service in stack.services.items()
    }
    return replace(stack, services=services)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the cycle collector: a load makes many objects, no cycles, and this saves a quarter of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_uncollected()
def load(request: LoadRequest) -> Loaded:
    """Everything from files to ``Desired``.

    Raises ComposeError with all the problems of the files, or only those of reading if one cannot be read to its end;
    ComposeFileNotFound; and UserError for a request that does not fit the files.
    """
    assembled = assemble(request)
    reader, problems, project = assembled.reader, assembled.problems, assembled.project
    declared, stack, document = declare(assembled)
    completed = complete(stack, assembled.name, document, project, reader, problems)
    if request.runtime:
        completed = with_runtime(completed, request.runtime)
    beyond = left_out(declared, request.services) if request.no_deps and request.services else {}
    addresses = static_addresses(declared.services)
    automatic = has_automatic_ports(declared, document, problems) or request.automatic_ports
    context = Context(completed, document, project, reader, problems, beyond, addresses, request.unsupported, automatic)
    check(context, declared, request.scale)
    problems.raise_errors()
    for name in sorted(request.scale.keys() - (stack.services.keys() - beyond.keys())):
        problems.warn("no-effect", f"--scale {name} has no effect: this command does not concern {name}")
    desired = normalise(context, declared.services, request.scale)
    if not request.services:
        disabled = sorted(declared.services.keys() - stack.services.keys())
        desired = replace(desired, disabled=tuple(map(ServiceName, disabled)))
    problems.raise_errors()
    return Loaded(
        stack=completed,
        desired=desired,
        warnings=tuple(sorted(problems.warnings, key=position)),
        not_applied=tuple(sorted(problems.not_applied, key=position)),
        inputs=reader.inputs,
        profiles=tuple(sorted({name for service in declared.services.values() for name in service.profiles})),
        hashes={key: service_digest(key, service, context) for key, service in completed.services.items()},
        watch=watch_rules(context),
        separator=project.separator,
    )
