"""``config``: the checked file in canonical form, or one kind of information about it."""

from __future__ import annotations

import json
from enum import StrEnum

from orchestra.errors import Diagnostic, Span, UserError
from orchestra.model.project import Chosen
from orchestra.record import Record, replace
from orchestra.stacks.stack_file import StackFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal

    from orchestra.compose import Loaded, LoadRequest
    from orchestra.stacks.context import Context


class View(StrEnum):
    """WHOLE: the file in canonical form; HASHES, EXPLANATION: of the ``subject``; LOCK: a file with image digests,
    to be used along with the first one; the others are lists or tables.
    """

    WHOLE = "whole"
    SERVICES = "services"
    VOLUMES = "volumes"
    NETWORKS = "networks"
    IMAGES = "images"
    MODELS = "models"
    PROFILES = "profiles"
    HASHES = "hash"
    EXPLANATION = "explain"
    ENVIRONMENT = "environment"
    VARIABLES = "variables"
    SCHEMA = "schema"
    LOCK = "lock_image_digests"


class ConfigOptions(Record):
    """services: empty for all. subject: services with commas or ``*`` for HASHES, a place in the file for EXPLANATION.

    format: None for the table of variables, and YAML for the rest. pinned: add digests to images with tags.
    left_out: passes of the load to skip, by their names in ``orchestra.compose.request.Passes``.
    target: what WHOLE is translated for, empty for the Compose file itself. as_files: a translation as several files.
    """

    services: tuple[str, ...] = ()
    view: View = View.WHOLE
    subject: str = ""
    format: Literal["yaml", "json"] | None = None
    pinned: bool = False
    left_out: tuple[str, ...] = ()
    target: str = ""
    as_files: bool = False


class ConfigResult(Record):
    """not_applied: attributes without an effect. parts: several files by name, where they were asked for."""

    text: str
    warnings: tuple[Diagnostic, ...] = ()
    not_applied: tuple[Diagnostic, ...] = ()
    parts: Mapping[str, bytes] = {}


def config(context: Context, options: ConfigOptions) -> ConfigResult:
    """Raises the errors of a load, and UserError for a subject that does not exist."""
    match options.view:
        case View.SCHEMA:
            from orchestra.compose.json_schema import compose_schema

            return ConfigResult(json.dumps(compose_schema(), indent=2) + "\n")
        case View.EXPLANATION:
            from orchestra.compose.explain import explain

            return ConfigResult(explain(_request(context, options), options.subject))
        case View.ENVIRONMENT:
            return ConfigResult(_environment(_request(context, options), as_json=options.format == "json"))
        case View.VARIABLES:
            return ConfigResult(_variables(_request(context, options), options.format))
    if options.target:
        if options.view is not View.WHOLE or options.pinned or options.left_out:
            raise UserError("--to cannot be combined with options that print something else")
        return _unit(context, options) if options.target == "systemd" else _translated(context, options)
    if options.pinned or options.view is View.LOCK:
        return _pinned(context, options)
    if options.left_out:
        return ConfigResult(_partial(_request(context, options), options))
    return _remembered(context, options)


def _translated(context: Context, options: ConfigOptions) -> ConfigResult:
    from orchestra.translation.source import read
    from orchestra.translation.targets import target

    engine, source = target(options.target), read(_request(context, options))
    result = engine.translate(source)
    text = "" if options.as_files else engine.render(result, _format(options))
    parts = engine.files(result) if options.as_files else {}
    return ConfigResult(text, (*source.warnings, *result.losses), parts=parts)


def _unit(context: Context, options: ConfigOptions) -> ConfigResult:
    """The unit that ``enable`` would write."""
    from orchestra.stacks.boot.enable import describe_unit
    from orchestra.stacks.boot.unit import render, unit_name
    from orchestra.stacks.containers import find_stack

    if options.services:
        raise UserError("--to systemd is for the whole stack", hint="name no services, or use --to quadlet")
    stack, units = find_stack(context).stack, context.units
    text = render(describe_unit(context, stack, units), units.target)
    return ConfigResult(text, parts={unit_name(stack): text.encode()} if options.as_files else {})


def _partial(request: LoadRequest, options: ConfigOptions) -> str:
    from orchestra.compose.partial import partial_hashes, partial_names, render_partial
    from orchestra.compose.request import Passes

    passes = Passes(**dict.fromkeys(options.left_out, False))
    match options.view:
        case View.HASHES:
            return _hashes(partial_hashes(request, passes), options.subject)
        case View.SERVICES | View.VOLUMES | View.NETWORKS | View.MODELS:
            return "".join(f"{name}\n" for name in partial_names(request, passes, options.view))
        case _:
            return render_partial(request, passes, _format(options))


def _pinned(context: Context, options: ConfigOptions) -> ConfigResult:
    """Render with digests. Never cached, since tags may move."""
    from orchestra.compose.render import render_config, render_plain
    from orchestra.stacks.images.digests import pin_images

    loaded = StackFile(context).load(Chosen(options.services))
    services = loaded.stack.services
    pins = pin_images(context, (service.image for service in services.values() if service.image))
    if options.view is View.LOCK:
        images = {name: {"image": pins[service.image]} for name, service in services.items() if service.image}
        return ConfigResult(render_plain({"services": images}, _format(options)), loaded.warnings)
    pinned = {
        name: replace(service, image=pins[service.image]) if service.image else service
        for name, service in services.items()
    }
    return ConfigResult(render_config(replace(loaded.stack, services=pinned), _format(options)), loaded.warnings)


def _remembered(context: Context, options: ConfigOptions) -> ConfigResult:
    """A text rendered from a whole load, cached with the warnings."""

    def render(loaded: Loaded) -> str:
        return json.dumps(
            {"text": _render(loaded, options), "warnings": loaded.warnings, "not_applied": loaded.not_applied}
        )

    key = f"config {options.view} {options.subject or _format(options)}"
    kept = json.loads(StackFile(context).render(key, options.services, render))
    return ConfigResult(kept["text"], _notes(kept["warnings"]), _notes(kept["not_applied"]))


def _notes(rows: list[Any]) -> tuple[Diagnostic, ...]:
    return tuple(Diagnostic(code, text, span and Span(*span), *rest) for code, text, span, *rest in rows)


def _format(options: ConfigOptions) -> Literal["yaml", "json"]:
    return options.format or "yaml"


def _render(loaded: Loaded, options: ConfigOptions) -> str:
    from orchestra.compose import render_config

    desired, stack = loaded.desired, loaded.stack
    match options.view:
        case View.HASHES:
            return _hashes(loaded.hashes, options.subject)
        case View.SERVICES:
            names = sorted(stack.services)
        case View.VOLUMES:
            names = sorted(spec.key for spec in desired.volumes)
        case View.NETWORKS:
            names = sorted(spec.key for spec in desired.networks)
        case View.IMAGES:
            names = sorted(service.image or f"{desired.stack}-{name}" for name, service in stack.services.items())
        case View.MODELS:
            names = sorted(model.model for model in stack.models.values())
        case View.PROFILES:
            names = list(loaded.profiles)
        case _:
            return render_config(stack, _format(options))
    return "".join(f"{name}\n" for name in names)


def _hashes(hashes: Mapping[str, str], asked: str) -> str:
    """``web 3f…`` for each service of a list with commas; ``*`` for all services."""
    names = sorted(hashes) if asked == "*" else asked.split(",")
    missing = [name for name in names if name not in hashes]
    if missing:
        raise UserError(f"no such service: {missing[0]}", hint=f"services are {', '.join(sorted(hashes))}")
    return "".join(f"{name} {hashes[name]}\n" for name in names)


def _request(context: Context, options: ConfigOptions) -> LoadRequest:
    return StackFile(context).load_request(Chosen(options.services))


def _environment(request: LoadRequest, *, as_json: bool) -> str:
    from orchestra.compose.loading import assemble

    known = assemble(request).project.environment.values()
    if as_json:
        return json.dumps(known, indent=2, ensure_ascii=False) + "\n"
    return "".join(f"{name}={value}\n" for name, value in known.items())


def _variables(request: LoadRequest, format_: Literal["yaml", "json"] | None) -> str:
    from orchestra.compose.loading import assemble
    from orchestra.compose.request import Passes
    from orchestra.compose.variables import find_variables, texts_of

    assembled = assemble(request, Passes(interpolate=False))
    assembled.problems.raise_errors()
    found = find_variables(texts_of(assembled.document))
    if format_ is not None:
        from orchestra.compose.variables import render_variables

        return render_variables(found, format_)
    rows = [("NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE")]
    rows += [(name, str(required).lower(), default, alternate) for name, required, default, alternate in found]
    widths = [max(map(len, column)) + 3 for column in zip(*rows, strict=True)]
    lines = ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "".join(f"{line.rstrip()}\n" for line in lines)
