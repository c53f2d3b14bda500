"""The actions, a closed union. Each is addressed by names chosen beforehand, so none needs another's result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestra.state.desired import ContainerSpec, ImageSpec, NetworkSpec, VolumeSpec
    from orchestra.state.names import ContainerName, NetworkName, VolumeName


@dataclass(frozen=True, slots=True)
class PullImage:
    """Make an image ready: resolve, fetch where it is not local, unpack."""

    image: ImageSpec
    reason: str

    verb = "pull"

    @property
    def resource(self) -> str:
        return f"image/{self.image.reference}"


@dataclass(frozen=True, slots=True)
class CreateNetwork:
    spec: NetworkSpec
    reason: str

    verb = "create"

    @property
    def resource(self) -> str:
        return f"network/{self.spec.name}"


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    name: NetworkName
    reason: str

    verb = "remove"

    @property
    def resource(self) -> str:
        return f"network/{self.name}"


@dataclass(frozen=True, slots=True)
class CreateVolume:
    spec: VolumeSpec
    reason: str

    verb = "create"

    @property
    def resource(self) -> str:
        return f"volume/{self.spec.name}"


@dataclass(frozen=True, slots=True)
class RemoveVolume:
    name: VolumeName
    reason: str

    verb = "remove"

    @property
    def resource(self) -> str:
        return f"volume/{self.name}"


@dataclass(frozen=True, slots=True)
class CreateContainer:
    """image_digest: what the reference named when the decision was made."""

    spec: ContainerSpec
    image_digest: str
    reason: str

    verb = "create"

    @property
    def resource(self) -> str:
        return f"container/{self.spec.name}"


@dataclass(frozen=True, slots=True)
class StartContainer:
    """restarts and backoff: the counts that this start leads to, recorded with the container."""

    name: ContainerName
    restarts: int
    backoff: int
    reason: str

    verb = "start"

    @property
    def resource(self) -> str:
        return f"container/{self.name}"


@dataclass(frozen=True, slots=True)
class StopContainer:
    """Signal, wait ``timeout`` seconds, then SIGKILL. signal '' takes the image's, else SIGTERM."""

    name: ContainerName
    signal: str
    timeout: float
    reason: str

    verb = "stop"

    @property
    def resource(self) -> str:
        return f"container/{self.name}"


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    """Remove an exited or created container with what it wrote. volumes: its anonymous volumes too."""

    name: ContainerName
    volumes: bool
    reason: str

    verb = "remove"

    @property
    def resource(self) -> str:
        return f"container/{self.name}"


Action = (
    PullImage
    | CreateNetwork
    | RemoveNetwork
    | CreateVolume
    | RemoveVolume
    | CreateContainer
    | StartContainer
    | StopContainer
    | RemoveContainer
)
