"""A stack before the load is complete: what ``config`` prints if passes are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from orchestra.compose.checks import check
from orchestra.compose.complete import complete
from orchestra.compose.context import Context
from orchestra.compose.loading import assemble, declare, find_services
from orchestra.compose.nodes import plain
from orchestra.compose.normalise import service_digest
from orchestra.compose.render import render_config, render_plain
from orchestra.compose.select import ALL_PROFILES
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestra.compose.loading import Assembled
    from orchestra.compose.request import LoadRequest, Passes


def render_partial(request: LoadRequest, passes: Passes, format_: Literal["yaml", "json"] = "yaml") -> str:
    """The stack after the requested passes, as text. Raises whatever a load raises."""
    assembled = assemble(request, passes)
    if not passes.interpolate:
        assembled.problems.raise_errors()
        return render_plain(_uninterpolated(assembled), format_)
    stack = _partial(assembled, passes).stack
    return render_config(replace(stack, name=assembled.name), format_)


def partial_names(request: LoadRequest, passes: Passes, section: str) -> list[str]:
    """The keys of a section of the file; the models of ``models``. ``services``: only those that are enabled.

    Raises what a load raises.
    """
    assembled = assemble(request, passes)
    if not passes.interpolate:
        assembled.problems.raise_errors()
        return sorted(_uninterpolated(assembled).get(section) or ())
    declared, stack, _document = declare(assembled)
    assembled.problems.raise_errors()
    if section == "models":
        return sorted(model.model for model in declared.models.values())
    return sorted(getattr(stack if section == "services" else declared, section))


def partial_hashes(request: LoadRequest, passes: Passes) -> dict[str, str]:
    """Digests of the definitions of the services. Raises what a load raises."""
    context = _partial(assemble(request, passes), passes)
    return {key: service_digest(key, service, context) for key, service in context.stack.services.items()}


def _partial(assembled: Assembled, passes: Passes) -> Context:
    problems, project, reader = assembled.problems, assembled.project, assembled.reader
    declared, stack, document = declare(assembled)
    if passes.complete:
        stack = complete(stack, assembled.name, document, project, reader, problems, passes=passes)
    context = Context(stack, document, project, reader, problems)
    if passes.complete and passes.check:
        check(context, declared, assembled.request.scale)
    problems.raise_errors()
    return context


def _uninterpolated(assembled: Assembled) -> dict[str, Any]:
    """The merged document: the models could not interpret ``${REPLICAS}``."""
    data: dict[str, Any] = plain(assembled.document)
    services = data.get("services")
    if not isinstance(services, dict):
        return data
    asked = assembled.request.services
    find_services(services, asked)
    profiles = assembled.project.profiles
    wanted = {key: value for key, value in services.items() if (key in asked if asked else _is_on(value, profiles))}
    return {**data, "name": assembled.name, "services": wanted}


def _is_on(service: Any, active: Collection[str]) -> bool:
    profiles = service.get("profiles") if isinstance(service, dict) else None
    return not profiles or ALL_PROFILES in active or any(name in active for name in profiles)
