"""Names of images as clients write and read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.driver.local.image.library import name_of
from orchestra.driver.local.image.naming.name import parse_name
from orchestra.engine_api.errors import bad_request, not_found
from orchestra.errors import DriverError, UserError
from orchestra.stacks.images.library import open_library

if TYPE_CHECKING:
    from orchestra.driver.local.image.library import Item
    from orchestra.engine_api.errors import ApiError
    from orchestra.engine_api.world import World


def familiar(reference: str) -> str:
    """``alpine:3`` of ``docker.io/library/alpine:3``; a path stays as it is."""
    name = name_of(reference)
    if name is None:
        return reference
    return f"{name.familiar}:{name.tag}" if name.tag and not name.digest else f"{name.familiar}@{name.digest}"


def full_name(repository: str, tag: str) -> str:
    """Raises ApiError."""
    separator = "@" if tag.startswith("sha256:") else ":"
    try:
        return str(parse_name(f"{repository}{separator}{tag}" if tag else repository))
    except (DriverError, UserError) as error:
        raise bad_request(f"invalid reference format: {error}") from error


def find_image(world: World, word: str) -> Item:
    """Raises ApiError with 404."""
    try:
        return open_library(world.context).find(word)
    except (DriverError, UserError) as error:
        raise no_such_image(word) from error


def no_such_image(word: str) -> ApiError:
    """With the tag that it would have."""
    has_tag = ":" in word.rpartition("/")[2] or "@" in word
    return not_found(f"No such image: {word if has_tag else f'{word}:latest'}")
