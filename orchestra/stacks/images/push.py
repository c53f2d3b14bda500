"""``push``: send the images of services to their registries."""

from __future__ import annotations

import time
from collections import defaultdict
from functools import partial
from threading import Lock

from orchestra.model.event import SkippedEvent
from orchestra.model.resource import Kind, ResourceId
from orchestra.record import Record
from orchestra.stacks.images.library import name_of, open_library
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


class PushOptions(Record):
    """services: empty for all."""

    services: tuple[str, ...] = ()
    include_deps: bool = False


def push(context: Context, options: PushOptions, hear: Callable[[Event], None]) -> Failures:
    """Return the errors, by image. Raises the errors of a load."""
    library = open_library(context)
    # One image at a time to each: shared layers are sent once, and registries lose layers sent twice at the same time.
    registries: defaultdict[str, Lock] = defaultdict(Lock)
    jobs: dict[str, Callable[[], object]] = {
        image: partial(_push, library, image, registries[host])
        for image, host in choose_images(context, options, hear).items()
    }
    return in_parallel("push", jobs, hear, at_once=context.parallel)


def choose_images(context: Context, options: PushOptions, hear: Callable[[Event], None]) -> dict[str, str]:
    """The images to send, each with the host of its registry. hear: called for skipped services.

    Raises the errors of a load.
    """
    hosts: dict[str, str] = {}
    for row in images_of_services(context, options.services, include_deps=options.include_deps):
        if reason := _reason_to_skip(row, options):
            hear(SkippedEvent(time.time(), ResourceId(Kind.SERVICE, row.service), reason))
            continue
        for image in (row.image, *row.tags):
            name = name_of(image) or name_of(row.image)
            assert name is not None, row.image
            hosts[image] = name.host
    return hosts


def _reason_to_skip(row: ServiceImage, options: PushOptions) -> str:
    if not row.image:
        return "No image to push"
    if name_of(row.image) is None:
        return "Image is not from a registry"
    if not row.is_built and row.service not in options.services:
        # As in Docker Compose: images from elsewhere can rarely be pushed there.
        return "The service has no build; name it on the command line to push its image"
    return ""


def _push(library: Library, image: str, registry: Lock) -> None:
    with registry:
        library.push(image)
