"""What the tags of images mean right now: their digests, as registries tell them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from orchestra.driver import Part
from orchestra.driver.local.image.library import name_of
from orchestra.driver.local.image.registry import Access
from orchestra.driver.local.image.registry.source import opened_registry
from orchestra.errors import OrchestraError
from orchestra.stacks.images.parallel import PARALLEL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.stacks.context import Context


def pin_images(context: Context, images: Iterable[str]) -> dict[str, str]:
    """``docker.io/library/app:1@sha256:...`` for each image that a tag names; others stay as they are.

    Raises OrchestraError for one that its registry does not know or give, and for a registry out of reach.
    """
    context.need(Part.IMAGES)
    access = Access(context.environment)

    def pin(image: str) -> str:
        name = name_of(image)
        if name is None or name.digest:
            return image
        try:
            with opened_registry(name, image, access) as source:
                return f"{name}@{source.digest()}"
        except OrchestraError as error:
            raise type(error)(f"image {image}: {error.message}", hint=error.hint) from error

    asked = sorted(set(images))
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="digest") as pool:
        return dict(zip(asked, pool.map(pin, asked), strict=True))
