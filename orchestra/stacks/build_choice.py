"""What is to be built: the builds of a stack, with what the command line says of them."""

from __future__ import annotations

import json

from orchestra.errors import UserError
from orchestra.record import Record, replace
from orchestra.stacks.build_inputs import SERVICE
from orchestra.stacks.variable import read_variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestra.compose import Loaded
    from orchestra.model.build import BuildSpec
    from orchestra.stacks.context import Context

BUILDER = "ORCHESTRA_BUILDER"
NATIVE = ("", "default")


class BuildOptions(Record):
    """services: empty for all that are built. arguments: ``NAME=VALUE``, or ``NAME`` for the caller's variable.

    ssh: agents for every service, as in the file. with_dependencies: those that they depend on too. provenance, sbom:
    instead of what the file says. builder: as for ``choose_builder``.
    """

    services: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    with_dependencies: bool = False
    no_cache: bool = False
    pull: bool = False
    ssh: str | None = None
    provenance: str | None = None
    sbom: str | None = None
    builder: str | None = None


def choose_builds(context: Context, options: BuildOptions) -> tuple[BuildSpec, ...]:
    """What is to be built, in an order in which no build needs a later one. Raises the errors of a load."""
    every = builds_of(context, options.services)
    names = _chosen(context, options, every)
    arguments = read_variables("--build-arg", options.arguments, context.given_variables)
    builder = choose_builder(options.builder, context.environment)
    return tuple(
        replace(
            spec,
            arguments={**spec.arguments, **arguments},
            no_cache=spec.no_cache or options.no_cache,
            pull=spec.pull or options.pull,
            ssh=(*spec.ssh, *(() if options.ssh is None else (options.ssh or "default",))),  # as in Docker Compose
            provenance=spec.provenance if options.provenance is None else options.provenance,
            sbom=spec.sbom if options.sbom is None else options.sbom,
            builder=builder,
        )
        for spec in _in_order(names, every)
    )


def choose_builder(name: str | None, environment: Mapping[str, str]) -> str:
    """The program that is to build, empty for none. name: what the user said, if anything. Raises UserError."""
    from orchestra.build.other import OtherBuilder

    chosen = environment.get(BUILDER, "") if name is None else name
    if chosen in NATIVE:
        return ""
    if chosen not in tuple(OtherBuilder):
        hint = f"use {' or '.join(OtherBuilder)}, or leave it out: images are then built by Orchestra itself"
        raise UserError(f"there is no builder {chosen}", hint=hint)
    return chosen


def builds_of(context: Context, services: Sequence[str] = ()) -> dict[str, BuildSpec]:
    """By service: those of all active services; if some are named, theirs, and at least those that these need, whatever
    their profiles are. Fast if the file is in the cache. Raises the errors of a load.
    """
    found = _load(context, services)
    asked = set(services)
    while services and (missing := {name for spec in found.values() for name in services_needed_by(spec)} - asked):
        asked |= missing
        found |= _load(context, sorted(missing))
    return found


def _load(context: Context, services: Sequence[str]) -> dict[str, BuildSpec]:
    from orchestra.model.build import BuildSpec
    from orchestra.model.codec import decode
    from orchestra.stacks.stack_file import StackFile

    rows = json.loads(StackFile(context).render("builds", services, _render))
    return {spec.service: spec for spec in (decode(BuildSpec, row) for row in rows)}


def _render(loaded: Loaded) -> str:
    from orchestra.compose.builds import builds
    from orchestra.model.codec import encode

    return json.dumps([encode(spec) for spec in builds(loaded)])


def _chosen(context: Context, options: BuildOptions, every: Mapping[str, BuildSpec]) -> list[str]:
    if not options.services:
        return list(every)
    from orchestra.stacks.images.services import images_of_services

    rows = images_of_services(context, options.services, include_deps=options.with_dependencies)
    return [row.service for row in rows if row.service in every]


def _in_order(names: Iterable[str], every: Mapping[str, BuildSpec]) -> list[BuildSpec]:
    """With those whose images they are made from. Raises UserError for a circle."""
    found: dict[str, BuildSpec] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise UserError(f"the builds of {' → '.join((*above, name))} need each other")
        if name in found:
            return
        for needed in services_needed_by(every[name]):
            if needed not in every:
                hint = f"give {needed} a build section, or use docker-image://"
                raise UserError(f"service {name}: additional_contexts: service {needed} is not built", hint=hint)
            add(needed, (*above, name))
        found[name] = every[name]

    for name in names:
        add(name, ())
    return list(found.values())


def services_needed_by(spec: BuildSpec) -> list[str]:
    """Those from whose images it is made."""
    return [text.removeprefix(SERVICE) for text in spec.contexts.values() if text.startswith(SERVICE)]
