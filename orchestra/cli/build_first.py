"""Building what a command's containers need, before they are asked for: ``--build``, ``--no-build``, and by itself."""

from __future__ import annotations

from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.stack_file import Prepared


def build_first(invocation: Invocation, prepared: Prepared) -> bool:
    """Whether something was built. Raises what a build raises, and UserError for options that exclude each other."""
    values = invocation.values
    if values.get("build") and values.get("no_build"):
        raise UserError("--build and --no-build cannot be combined")
    if not prepared.built or values.get("no_build"):
        return False
    from orchestra.stacks.built import services_to_build

    services = services_to_build(invocation.context, prepared, always=bool(values.get("build")))
    if services:
        from orchestra.cli.build import build_images
        from orchestra.stacks.build_choice import BuildOptions

        build_images(invocation, BuildOptions(services), quiet=bool(values.get("quiet_build")))
    return bool(services)
