"""``orchestra push``: send the images that services are built as to their registries, several at a time."""

from __future__ import annotations

from functools import partial

from orchestra.cli.image.each import show_error
from orchestra.cli.image.parallel import in_parallel
from orchestra.cli.image.services import images_of_services
from orchestra.driver.local.image.library import Library, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    values = invocation.values
    rows = images_of_services(invocation, values["services"], include_deps=values["include_deps"])
    library = Library(invocation.home)
    skipped: dict[str, str] = {}
    jobs: dict[str, Callable[[], object]] = {}
    for row in rows:
        if not row.image:
            skipped[row.service] = "No image to be pushed"
        elif name_of(row.image) is None:
            skipped[row.service] = "Image is not from a registry"
        elif not row.is_built and row.service not in values["services"]:
            # As Docker Compose: what comes from elsewhere is rarely ours to send there.
            skipped[row.service] = "Image is not built by the file; name the service to push it"
        else:
            jobs.update((image, partial(library.push, image)) for image in (row.image, *row.tags))
    if values["quiet"]:
        invocation.shared["progress"] = "quiet"
    failures = in_parallel(invocation, "push", jobs, skipped)
    for image, error in failures.items():
        show_error(invocation, error, image)
    return 1 if failures and not values["ignore_failures"] else 0
