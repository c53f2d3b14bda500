"""``orchestra pull``: fetch the images of services, each once, several at a time."""

from __future__ import annotations

from functools import partial

from orchestra.cli.image.each import show_error
from orchestra.cli.image.parallel import in_parallel
from orchestra.cli.image.services import images_of_services
from orchestra.driver.local.image.library import Library
from orchestra.model.desired import ImageSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from orchestra.cli.image.services import ServiceImage
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    invocation.need_root()
    values = invocation.values
    rows = images_of_services(invocation, values["services"], include_deps=values["include_deps"])
    library = Library(invocation.home)
    skipped: dict[str, str] = {}
    jobs: dict[str, Callable[[], object]] = {}
    specs: dict[str, ImageSpec] = {}
    for row in rows:
        reason = _reason_to_skip(row, library, values)
        if not reason and row.image in jobs:
            continue  # of another service too
        if reason:
            skipped[row.service] = reason
        else:
            specs[row.image] = ImageSpec(row.image, row.platform, "always")
            jobs[row.image] = partial(library.store.pull, specs[row.image])
    if values["quiet"]:
        invocation.shared["progress"] = "quiet"
    failures = in_parallel(invocation, "pull", jobs, skipped, lambda image: library.store.measure(specs[image]))
    for image, error in failures.items():
        show_error(invocation, error, image)
    return 1 if failures and not values["ignore_failures"] else 0


def _reason_to_skip(row: ServiceImage, library: Library, values: dict[str, Any]) -> str:
    """As Docker Compose says it; empty for an image that is to be fetched."""
    if not row.image:
        return "No image to be pulled"
    if row.image.startswith("rootfs:"):
        return "A directory is used as it is"
    match values["policy"] or row.policy:
        case "never" | "build" as policy:
            return f"Its pull_policy is {policy}"
        case "missing" | "if_not_present" if library.store.observe([ImageSpec(row.image, row.platform)]):
            return "Image is already present locally"
    return "Image can be built" if row.is_built and values["ignore_buildable"] else ""
