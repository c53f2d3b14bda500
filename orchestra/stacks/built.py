"""Which images must be built before containers can be made. Light if the file builds nothing."""

from __future__ import annotations

from orchestra.driver import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.context import Context
    from orchestra.stacks.stack_file import Prepared


def services_to_build(context: Context, prepared: Prepared, *, always: bool) -> tuple[str, ...]:
    """The services whose images are missing, or with ``pull_policy: build``; with ``always``, all that are built."""
    if not prepared.built or not context.offers(Part.IMAGES):
        return ()
    if always:
        return tuple(built.service for built in prepared.built)
    from orchestra.driver.local.image.store import ImageStore
    from orchestra.model.desired import ImageSpec

    specs = {built.service: ImageSpec(built.image, built.platform) for built in prepared.built}
    there = ImageStore(context.home).observe(specs.values())
    return tuple(
        built.service
        for built in prepared.built
        if built.policy == "build" or (built.policy != "always" and specs[built.service].key not in there)
    )
