"""Images that containers mount: their digests on this machine, and how each is mounted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.layers.lookup import find
from orchestra.driver.local.volume import ResolvedMount
from orchestra.errors import FatalError, TemporaryError
from orchestra.model.container import image_key
from orchestra.model.desired import ImageSpec
from orchestra.model.mount import ImageMount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.driver.local.image.store import ImageStore
    from orchestra.driver.local.snapshot import Snapshotter
    from orchestra.model.container import ContainerSpec


class MountedImages:
    def __init__(self, images: ImageStore, snapshots: Snapshotter) -> None:
        self._images = images
        self._snapshots = snapshots

    def digests(self, spec: ContainerSpec) -> dict[str, str]:
        """Digests by image key. Raises TemporaryError while an image is not ready."""
        mounts = [mount for mount in spec.mounts if isinstance(mount, ImageMount)]
        if not mounts:
            return {}
        seen = self._images.observe(ImageSpec(mount.image, spec.platform) for mount in mounts)
        for key in spec.mounted_image_keys:
            if key not in seen:
                raise TemporaryError(f"service {spec.service}: image {key}, which it mounts, is not ready")
        return {key: image.digest for key, image in seen.items()}

    def resolve(self, spec: ContainerSpec, digests: Mapping[str, str]) -> dict[str, ResolvedMount]:
        """The mounts by target. Raises FatalError for a subpath that an image does not have."""
        found: dict[str, ResolvedMount] = {}
        for mount in spec.mounts:
            if isinstance(mount, ImageMount):
                found[mount.target] = self._resolve(spec, mount, digests[image_key(mount.image, spec.platform)])
        return found

    def _resolve(self, spec: ContainerSpec, mount: ImageMount, digest: str) -> ResolvedMount:
        layers = self._images.resolve(digest).layers
        with file_errors(f"{mount.subpath} of image {mount.image}"):
            found = find(layers, mount.subpath)
        if found is None:
            message = (
                f"service {spec.service}: image {mount.image} has no {mount.subpath}, to be mounted at {mount.target}"
            )
            raise FatalError(message, hint="correct image.subpath")
        view = self._snapshots.view_below(layers, found)
        options = ("rbind", "rprivate") if view["type"] == "bind" else tuple(view["options"])
        return ResolvedMount(mount.target, view["type"], view["source"], options, read_only=True)
