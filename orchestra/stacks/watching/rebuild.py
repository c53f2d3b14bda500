"""Builds the image of a service anew, and replaces its containers: through the use cases of ``build`` and ``up``."""

from __future__ import annotations

from orchestra.errors import FatalError, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.build.event import BuildEvent
    from orchestra.stacks.context import Context


def rebuild(context: Context, service: str, hear: Callable[[BuildEvent | None], None], *, prune: bool) -> None:
    """Return when the new containers run. hear: what happens in the build, and None at its end. prune: remove images
    without a name that no container uses.

    Raises what a build raises, and FatalError if the containers cannot be replaced.
    """
    from orchestra.model.project import Chosen
    from orchestra.stacks.build import build
    from orchestra.stacks.build_choice import BuildOptions, choose_builds
    from orchestra.stacks.up import UpOptions, begin_up, up

    specs = choose_builds(context, BuildOptions((service,)))
    if not specs:
        raise UserError(f"service {service} is not built", hint="give it a build section")
    try:
        build(context, specs, lambda _name, event: hear(event))
    finally:
        hear(None)
    chosen = Chosen((service,), no_deps=True)
    result = up(begin_up(context, chosen), UpOptions(chosen, beside=True))
    if result.failures:
        raise FatalError("; ".join(failure.error for failure in result.failures))
    if prune:
        from orchestra.stacks.images.library import open_library

        open_library(context).prune(everything=False, build_cache=False)
