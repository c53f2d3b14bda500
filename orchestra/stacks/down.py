"""``down``: stop and remove the stack, or a part of it, in reverse order; volumes are kept by default."""

from __future__ import annotations

from functools import partial

from orchestra.driver import Part
from orchestra.model.request import DownRequest
from orchestra.model.result import DownResult
from orchestra.record import Record
from orchestra.stacks.containers import exists, find_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orchestra.model.desired import ProviderSpec
    from orchestra.model.event import Event
    from orchestra.stacks.containers import Known
    from orchestra.stacks.context import Context
    from orchestra.stacks.images.parallel import Failures


class DownOptions(Record):
    """services: only these and their dependents; empty for all. timeout: seconds until containers are killed.

    rmi: afterwards, remove ``all`` images of services, or the ``local`` ones that are built here without a name
    in the file.
    """

    services: tuple[str, ...] = ()
    volumes: bool = False
    remove_orphans: bool = False
    timeout: float | None = None
    rmi: str | None = None


def find_stack_for_down(context: Context, options: DownOptions) -> tuple[Known, bool]:
    """The stack, and whether anything of it may exist. Raises the errors of a load, and EnvironmentLack."""
    context.need_privileges()
    known = find_stack(context)
    return known, exists(context, known.stack) or options.volumes or _are_there_remains(context, known.stack)


def _are_there_remains(context: Context, stack: str) -> bool:
    if not context.offers(Part.FILES):
        return False
    from orchestra.driver.local.strays import are_there_remains

    return are_there_remains(context.home, stack)


def images_to_remove(context: Context, known: Known, options: DownOptions) -> tuple[str, ...]:
    """The images to remove. Raises the errors of a load."""
    if options.rmi is None:
        return ()
    from orchestra.stacks.images.services import images_of_services

    rows = images_of_services(context, options.services, include_deps=False)
    built = {f"{known.stack}-{row.service}" for row in rows if not row.image}
    named = {row.image for row in rows if row.image and not row.image.startswith("rootfs:")}
    return tuple(sorted(built | named if options.rmi == "all" else built))


def remove_images(context: Context, images: Iterable[str], hear: Callable[[Event], None]) -> Failures:
    """Remove the images that exist. Returns the errors, by image."""
    from orchestra.stacks.images.library import open_library, reference_key
    from orchestra.stacks.images.parallel import in_parallel

    library = open_library(context)
    there = [image for image in images if library.content.entry(reference_key(image)) is not None]
    return in_parallel("remove", {image: partial(library.remove, image) for image in there}, hear, at_once=1)


def request_of(known: Known, options: DownOptions) -> DownRequest:
    return DownRequest(known.services, options.services, options.volumes, options.remove_orphans, options.timeout)


def find_providers(context: Context, known: Known, options: DownOptions) -> list[ProviderSpec]:
    """The providers of the last ``up`` that this affects."""
    try:
        with open(context.home.stack(known.stack).desired, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        return []
    if b'"providers"' not in text:
        return []
    from orchestra.stacks.providers import providers_of

    return [each for each in providers_of(text) if not options.services or each.service in options.services]


def down(
    context: Context, known: Known, options: DownOptions, hear: Callable[[Event], None] | None = None
) -> DownResult:
    """Return when all of it is gone, or cannot be removed."""
    providers = find_providers(context, known, options)
    result = context.client(known.stack).ask(DownResult, request_of(known, options), hear)
    for provider in providers:
        from orchestra.stacks.providers import take_down

        take_down(context, known.stack, provider)
    if result.leaving and not result.failures:
        from orchestra.control.farewell import clear_away

        clear_away(context.home.stack(known.stack))
    return result
