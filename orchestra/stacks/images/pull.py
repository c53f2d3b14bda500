"""``pull``: fetch the images of services, each once, several at a time."""

from __future__ import annotations

import time
from functools import partial

from orchestra.model.desired import ImageSpec
from orchestra.model.event import SkippedEvent
from orchestra.model.resource import Kind, ResourceId
from orchestra.record import Record
from orchestra.stacks.images.library import open_library
from orchestra.stacks.images.parallel import in_parallel
from orchestra.stacks.images.services import images_of_services

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.model.event import Event
    from orchestra.stacks.context import Context
    from orchestra.stacks.images.library import Library
    from orchestra.stacks.images.parallel import Failures
    from orchestra.stacks.images.services import ServiceImage


class PullOptions(Record):
    """services: empty for all. policy: replaces each pull_policy."""

    services: tuple[str, ...] = ()
    include_deps: bool = False
    policy: str | None = None
    ignore_buildable: bool = False


def pull(context: Context, options: PullOptions, hear: Callable[[Event], None]) -> Failures:
    """Return the errors, by image.

    Raises the errors of a load, and EnvironmentLack if this user may not keep images.
    """
    context.need_privileges()
    library = open_library(context)
    specs = choose_images(context, library, options, hear)
    jobs: dict[str, Callable[[], object]] = {image: partial(library.store.pull, spec) for image, spec in specs.items()}
    return in_parallel("pull", jobs, hear, lambda image: library.store.measure(specs[image]), context.parallel)


def choose_images(
    context: Context, library: Library, options: PullOptions, hear: Callable[[Event], None]
) -> dict[str, ImageSpec]:
    """The images to fetch, each one once. hear: called for skipped services. Raises the errors of a load."""
    specs: dict[str, ImageSpec] = {}
    pulled_for: dict[str, str] = {}
    for row in images_of_services(context, options.services, include_deps=options.include_deps):
        reason = _reason_to_skip(row, library, options)
        if not reason and row.image in specs:
            reason = f"Image is already being pulled by {pulled_for[row.image]}"
        if reason:
            hear(SkippedEvent(time.time(), ResourceId(Kind.SERVICE, row.service), reason))
        else:
            pulled_for[row.image] = row.service
            specs[row.image] = ImageSpec(row.image, row.platform, "always")
    return specs


def to_be_built(context: Context, options: PullOptions, failures: Failures) -> tuple[str, ...]:
    """The services whose image could not be pulled, but can be built."""
    rows = images_of_services(context, options.services, include_deps=options.include_deps)
    return tuple(row.service for row in rows if row.is_built and row.image in failures)


def _reason_to_skip(row: ServiceImage, library: Library, options: PullOptions) -> str:
    """The reason in Docker Compose's words; empty for an image that has to be fetched."""
    if not row.image:
        return "No image to be pulled"
    if row.image.startswith("rootfs:"):
        return "A directory needs no pull"
    match options.policy or row.policy:
        case "never" | "build" as policy:
            return f"pull_policy is {policy}"
        case "missing" | "if_not_present" if library.store.observe([ImageSpec(row.image, row.platform)]):
            return "Image is already present locally"
    return "Image can be built" if row.is_built and options.ignore_buildable else ""
