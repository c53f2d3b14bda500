"""Asks registries for the current digests of image tags."""

from __future__ import annotations

from functools import partial

from orchestra.driver import Part
from orchestra.driver.local.image.library import name_of
from orchestra.driver.local.image.registry import Access
from orchestra.driver.local.image.registry.source import opened_registry
from orchestra.errors import OrchestraError
from orchestra.stacks.images.parallel import in_parallel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.driver.local.image.naming.name import ImageName
    from orchestra.stacks.context import Context


def pin_images(context: Context, images: Iterable[str]) -> dict[str, str]:
    """``docker.io/library/app:1@sha256:...`` for each image with a tag; others stay as they are.

    Raises OrchestraError if the registry does not have the image, denies access, or cannot be reached.
    """
    context.need(Part.IMAGES)
    access = Access(context.environment)

    pins = {image: image for image in sorted(set(images))}

    def pin(image: str, name: ImageName) -> None:
        try:
            with opened_registry(name, image, access) as source:
                pins[image] = f"{name}@{source.digest()}"
        except OrchestraError as error:
            raise type(error)(f"image {image}: {error.message}", hint=error.hint) from error

    names = {image: name_of(image) for image in pins}
    jobs = {image: partial(pin, image, name) for image, name in names.items() if name and not name.digest}
    failures = in_parallel("check", jobs, lambda _event: None, at_once=context.parallel)
    for error in failures.values():
        raise error
    return pins
