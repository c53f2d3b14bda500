"""Images of one home: made ready, looked at, and resolved to the layers and configuration that containers need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from orchestra.driver.local.image.config import ImageConfig
from orchestra.driver.local.image.reference import (
    DockerArchive,
    OciArchive,
    OciDirectory,
    Registry,
    Tree,
    parse_reference,
)
from orchestra.driver.local.image.tree import PREFIX, tree_digest, tree_of
from orchestra.errors import DriverError, FatalError
from orchestra.state.observed import Image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.home import Home
    from orchestra.state.desired import ImageSpec


@dataclass(frozen=True, slots=True)
class ReadyImage:
    """layers: absolute directories, topmost first, as overlayfs' ``lowerdir`` wants them."""

    digest: str
    layers: tuple[str, ...]
    config: ImageConfig


class ImageStore:
    """Safe across threads and processes."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def pull(self, spec: ImageSpec) -> Image:
        """Make the image ready: content verified, layers unpacked. Idempotent.

        pull_policy ``never``: only what is ready already.
        """
        match reference := parse_reference(spec.reference):
            case Tree(path):
                return Image(spec.reference, tree_digest(path))
            case Registry(name):
                raise FatalError(
                    f"image {name}: pulling from a registry is not supported yet",
                    hint=f"fetch it once with `skopeo copy docker://{name} oci-archive:image.tar` and write "
                    "`image: oci-archive:./image.tar`",
                )
            case OciDirectory() | OciArchive() | DockerArchive():
                raise FatalError(f"image {spec.reference}: this transport is not supported yet")
            case _:
                assert_never(reference)

    def observe(self, references: Iterable[str]) -> dict[str, Image]:
        """Those that are ready, and still what their reference names now."""
        found: dict[str, Image] = {}
        for text in references:
            try:
                reference = parse_reference(text)
                if isinstance(reference, Tree):
                    found[text] = Image(text, tree_digest(reference.path))
            except DriverError:
                continue  # whatever is wrong with it, it is not ready; pulling says why
        return found

    def resolve(self, digest: str) -> ReadyImage:
        """Raises FatalError when the image is not ready."""
        if digest.startswith(PREFIX):
            return ReadyImage(digest, (tree_of(digest),), ImageConfig())
        raise FatalError(f"image {digest} is not on this machine", hint="run `up` again to make it ready")
