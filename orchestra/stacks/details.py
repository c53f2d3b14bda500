"""What is only looked up of a container when it is asked for."""

from __future__ import annotations

from orchestra.driver import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.containers import ContainerRow
    from orchestra.stacks.context import Context


class Details:
    """Of the containers of one stack. A driver whose containers have no files here tells nothing of them."""

    def __init__(self, context: Context, stack: str) -> None:
        self._home = context.home
        self._stack_home = context.home.stack(stack)
        self._known = context.offers(Part.FILES)

    def labels(self, container: ContainerRow) -> dict[str, str]:
        """Those of image and file, and Docker Compose's own words for what the container is a part of."""
        own = {
            "com.docker.compose.container-number": str(container.index),
            "com.docker.compose.project": self._stack_home.name,
            "com.docker.compose.service": container.service,
        }
        if not self._known:
            return own
        from orchestra.driver.local.details import load_labels

        return {**load_labels(self._stack_home, container.name), **own}

    def mounts(self, container: ContainerRow) -> list[str]:
        """Names of volumes, and paths of this machine."""
        if not self._known:
            return list(container.volumes)
        from orchestra.driver.local.details import load_bind_sources

        return [*container.volumes, *load_bind_sources(self._home, self._stack_home, container.name, container.volumes)]

    def size(self, container: ContainerRow) -> int:
        """Bytes on disk of what the container has written over its image, as far as this user may see that."""
        if not self._known:
            return 0
        from orchestra.driver.local.details import written_size

        return written_size(self._home, self._stack_home, container.name)
