"""``orchestra push``: send the images that services are built as to their registries."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from threading import Lock

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
    # One image at a time to each: what they share is sent once, and registries lose what comes twice at the same time.
    registries: defaultdict[str, Lock] = defaultdict(Lock)
    for row in rows:
        if not row.image:
            skipped[row.service] = "No image to be pushed"
        elif (name := name_of(row.image)) is None:
            skipped[row.service] = "Image is not from a registry"
        elif not row.is_built and row.service not in values["services"]:
            # As Docker Compose: what comes from elsewhere is rarely ours to send there.
            skipped[row.service] = "Image is not built by the file; name the service to push it"
        else:
            names = {image: name_of(image) or name for image in (row.image, *row.tags)}
            jobs.update((image, partial(_push, library, image, registries[at.host])) for image, at in names.items())
    if values["quiet"]:
        invocation.shared["progress"] = "quiet"
    failures = in_parallel(invocation, "push", jobs, skipped)
    for image, error in failures.items():
        show_error(invocation, error, image)
    return 1 if failures and not values["ignore_failures"] else 0


def _push(library: Library, image: str, registry: Lock) -> None:
    with registry:
        library.push(image)
