"""Images of a stack that a cluster cannot get as they are: what is wrong with them, and how they get to a registry."""

from __future__ import annotations

from orchestra.driver.local.image.naming.reference import TRANSPORTS
from orchestra.errors import ComposeError, Diagnostic, OrchestraError, UserError
from orchestra.record import replace
from orchestra.stacks.images.library import Library, name_of, open_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestra.driver.local.image.naming.name import ImageName
    from orchestra.stacks.cluster.passes import Asked
    from orchestra.translation.source import Source


def check_local(source: Source) -> None:
    """Raises ComposeError for images without a name in a registry, at their places."""
    found = []
    for key, service in source.stack.services.items():
        if service.image is None and service.build is not None:
            hint = f"give it an image: REGISTRY/{key}:TAG, and add --push"
            found.append(
                _diagnostic(source, key, "build", "the image is built here and has no name in a registry", hint)
            )
        elif service.image and service.image.partition(":")[0] in TRANSPORTS:
            hint = "push it to a registry, and write its name here"
            found.append(_diagnostic(source, key, "image", f"{service.image} is an image of this machine", hint))
    if found:
        raise ComposeError(tuple(found))


def check_pushed(asked: Asked, source: Source) -> None:
    """Raises ComposeError for images that were built here and that their registries do not have."""
    built = [*_built(source)]
    if not built:
        return
    library, found = open_library(asked.context), []
    for key, image, name in built:
        if _is_here(library, image) and _is_missing(asked, image, name):
            hint = "add --push, or run orchestra push"
            found.append(_diagnostic(source, key, "image", f"{image} exists only on this machine", hint))
    if found:
        raise ComposeError(tuple(found))


def push_built(asked: Asked, source: Source) -> Source:
    """The same stack, with the digests of the images that were built here, which their registries then have.

    Dry, nothing is sent. Raises UserError for images that are not built yet, and DriverError if one cannot be sent.
    """
    library, pins = open_library(asked.context), dict[str, str]()
    for key, image, name in _built(source):
        if not _is_here(library, image):
            raise UserError(f"service {key}: image {image} is not built", hint="run orchestra build")
        if image not in pins:
            digest = library.digest_to_push(image) if asked.terms.dry else _push(library, image, asked.tell)
            pins[image] = f"{replace(name, digest='')}@{digest}"
    services = {
        key: replace(service, image=pins[service.image], build=None)
        if service.build and service.image in pins
        else service
        for key, service in source.stack.services.items()
    }
    return replace(source, stack=replace(source.stack, services=services))


def _push(library: Library, image: str, tell: Callable[[str, str], object]) -> str:
    pushed = library.push(image)
    tell(f"image/{image}", "pushed" if pushed.sent else "in its registry")
    return pushed.digest


def _built(source: Source) -> Iterator[tuple[str, str, ImageName]]:
    """Service, image and name of those with a build."""
    for key, service in sorted(source.stack.services.items()):
        if service.build is not None and service.image and (name := name_of(service.image)) is not None:
            yield key, service.image, name


def _is_here(library: Library, image: str) -> bool:
    try:
        library.find(image)
    except UserError:
        return False
    return True


def _is_missing(asked: Asked, image: str, name: ImageName) -> bool:
    """A registry that does not say so, or is reached from the cluster only, may have it."""
    from orchestra.driver.local.image.registry import Access
    from orchestra.driver.local.image.registry.refusal import NotFound
    from orchestra.driver.local.image.registry.source import opened_registry

    try:
        with opened_registry(name, image, Access(asked.context.environment)) as registry:
            registry.digest()
    except NotFound:
        return True
    except OrchestraError:
        return False
    return False


def _diagnostic(source: Source, service: str, attribute: str, what: str, hint: str) -> Diagnostic:
    path = ("services", service, attribute)
    subject = ".".join(path)
    return Diagnostic("local-image", f"{subject}: {what}", source.place(path), subject, hint)
