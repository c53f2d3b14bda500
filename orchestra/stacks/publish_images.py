"""The images of a stack that is published: those of its services, and those that they mount."""

from __future__ import annotations

from orchestra.errors import UserError
from orchestra.record import Record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestra.compose.schema.mounts import ServiceVolume
    from orchestra.compose.schema.stack import Stack
    from orchestra.driver.local.image.documents.manifest import Descriptor
    from orchestra.driver.local.image.naming.name import ImageName
    from orchestra.model.event import Event
    from orchestra.stacks.context import Context
    from orchestra.stacks.images.parallel import Failures

    Copied = Mapping[str, Descriptor]
    """By image as the file has it."""

IMAGE = "image"


class StackImages(Record):
    """services: the image of each service. mounts: by service, its volumes of the type ``image``."""

    services: Mapping[str, str] = {}
    mounts: Mapping[str, tuple[ServiceVolume, ...]] = {}

    @property
    def names(self) -> list[str]:
        """Each image once, in the order of their names."""
        mounted = {volume.source or "" for volumes in self.mounts.values() for volume in volumes}
        return sorted({*self.services.values(), *mounted})


def find_images(stack: Stack) -> StackImages:
    services = sorted(stack.services.items())
    mounts = {
        key: tuple(volume for volume in service.volumes if volume.type == IMAGE and volume.source)
        for key, service in services
    }
    images = {key: service.image for key, service in services if service.image}
    return StackImages(images, {key: volumes for key, volumes in mounts.items() if volumes})


def images_of_hooks(stack: Stack) -> Iterator[str]:
    """Those that no further file can pin, because hooks of several files are not merged, but add up."""
    for key, service in sorted(stack.services.items()):
        yield from (f"service {key}: {hook.image}, of pre_start" for hook in service.pre_start if hook.image)


def check_images(images: StackImages) -> None:
    """Raises UserError if one cannot be copied from a registry."""
    from orchestra.stacks.images.library import name_of

    mounted = ((key, str(volume.source)) for key, volumes in images.mounts.items() for volume in volumes)
    for whose, found in (("the image of service", images.services.items()), ("an image mounted by service", mounted)):
        for key, image in found:
            if name_of(image) is None:
                raise UserError(
                    f"{whose} {key} cannot be included: {image} is not from a registry",
                    hint="publish the stack without --app, or use an image that can be pushed",
                )


def copy_images(
    context: Context, images: StackImages, to: ImageName, hear: Callable[[Event], None], *, insecure: bool
) -> tuple[Copied, Failures]:
    """Copy all images into the repository. Return what is there, and the errors."""
    from functools import partial

    from orchestra.driver.local.image.registry import Access
    from orchestra.driver.local.image.registry.copy import copy_image
    from orchestra.stacks.images.library import open_library, parse_name
    from orchestra.stacks.images.parallel import in_parallel

    content, access = open_library(context).content, Access(context.environment)
    copied: dict[str, Descriptor] = {}

    def copy(image: str) -> None:
        copied[image] = copy_image(parse_name(image), to, content, access, insecure=insecure)

    jobs = {image: partial(copy, image) for image in images.names}
    return copied, in_parallel("copy", jobs, hear, at_once=context.parallel)


def render_pins(images: StackImages, pins: Mapping[str, str]) -> bytes:
    """A Compose file that replaces images. Volumes are whole in it: of one target, the last file's is used."""
    from orchestra.compose.render import dump, escape, render_plain

    services: dict[str, dict[str, object]] = {key: {"image": pins[image]} for key, image in images.services.items()}
    for key, volumes in images.mounts.items():
        pinned = [dump(replace(volume, source=pins[volume.source or ""]), hollow=False) for volume in volumes]
        services.setdefault(key, {})["volumes"] = escape(pinned)
    return render_plain({"services": services}, "yaml").encode()
