"""Details of containers that are looked up only on demand."""

from __future__ import annotations

from orchestra.driver import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.containers import ContainerRow
    from orchestra.stacks.context import Context


class Details:
    """Details of the containers of one stack. Empty for a driver whose containers have no files here."""

    def __init__(self, context: Context, stack: str) -> None:
        self._home = context.home
        self._stack_home = context.home.stack(stack)
        self._known = context.offers(Part.FILES)

    def labels(self, container: ContainerRow) -> dict[str, str]:
        """The labels of the image and the file, and Docker Compose's labels for stack and service."""
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
        """Bytes on disk that the container has written over its image, as far as this user may see them."""
        if not self._known:
            return 0
        from orchestra.driver.local.details import written_size

        return written_size(self._home, self._stack_home, container.name)
