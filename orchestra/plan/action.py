"""The actions, a closed union. Each uses names chosen beforehand, so no action needs the result of another."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from orchestra.model.observed import Verb
from orchestra.model.resource import ResourceId
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.model.container import ContainerSpec, Endpoint
    from orchestra.model.desired import ImageSpec, NetworkSpec, VolumeSpec
    from orchestra.model.hook import Hook
    from orchestra.model.names import ContainerName, NetworkName, VolumeName


class AnonymousVolumes(StrEnum):
    """What happens to a container's anonymous volumes when it is removed.

    HAND_ON: the next container of that name gets them. LEAVE: no container uses them now; they stay until the stack
    goes down with its volumes. DELETE: they are deleted with their data.
    """

    HAND_ON = "hand on"
    LEAVE = "leave"
    DELETE = "delete"


class PullImage(Record):
    """Make an image ready: resolve it, fetch it if it is not local, unpack it."""

    image: ImageSpec
    reason: str

    verb = Verb.PULL

    @property
    def resource(self) -> ResourceId:
        return ResourceId.image(self.image.key)


class CreateNetwork(Record):
    spec: NetworkSpec
    reason: str

    verb = Verb.CREATE

    @property
    def resource(self) -> ResourceId:
        return ResourceId.network(self.spec.name)


class RemoveNetwork(Record):
    name: NetworkName
    reason: str

    verb = Verb.REMOVE

    @property
    def resource(self) -> ResourceId:
        return ResourceId.network(self.name)


class CreateVolume(Record):
    spec: VolumeSpec
    reason: str

    verb = Verb.CREATE

    @property
    def resource(self) -> ResourceId:
        return ResourceId.volume(self.spec.name)


class RemoveVolume(Record):
    name: VolumeName
    reason: str

    verb = Verb.REMOVE

    @property
    def resource(self) -> ResourceId:
        return ResourceId.volume(self.name)


class CheckContainer(Record):
    """Check whether the container could replace the running one of the same name. Changes nothing."""

    spec: ContainerSpec
    image_digest: str
    reason: str

    verb = Verb.CHECK

    @property
    def resource(self) -> ResourceId:
        return ResourceId.container(self.spec.name)


class CreateContainer(Record):
    """image_digest: the digest that the reference named when the decision was made."""

    spec: ContainerSpec
    image_digest: str
    reason: str

    verb = Verb.CREATE

    @property
    def resource(self) -> ResourceId:
        return ResourceId.container(self.spec.name)


class StartContainer(Record):
    """restarts and backoff: the counts after this start. runs_with: as in Container. Both are recorded with it."""

    name: ContainerName
    restarts: int
    backoff: int
    reason: str
    runs_with: Mapping[ContainerName, str] = {}

    verb = Verb.START

    @property
    def resource(self) -> ResourceId:
        return ResourceId.container(self.name)


class ConnectContainer(Record):
    """Connect a container to a network, or give it there what the endpoint says now; its processes keep running."""

    name: ContainerName
    endpoint: Endpoint
    reason: str

    verb = Verb.CONNECT

    @property
    def resource(self) -> ResourceId:
        return ResourceId.container(self.name)


class DisconnectContainer(Record):
    name: ContainerName
    network: NetworkName
    reason: str

    verb = Verb.DISCONNECT

    @property
    def resource(self) -> ResourceId:
        return ResourceId.container(self.name)


class RunHooks(Record):
    """Run the post_start hooks of a running container, one after the other, from the one at index ``done`` on.

    run: when the run began (Unix seconds), so that a later command can tell whether it is about this one.
    """

    name: ContainerName
    hooks: tuple[Hook, ...]
    done: int
    config_hash: str
    run: float
    reason: str

    verb = Verb.HOOK

    @property
    def resource(self) -> ResourceId:
        return ResourceId.container(self.name)


class DrainContainer(Record):
    """Have the other containers of its service take over its names and published ports, before it is stopped.

    Connections that it has stay.
    """

    name: ContainerName
    reason: str

    verb = Verb.DRAIN

    @property
    def resource(self) -> ResourceId:
        return ResourceId.container(self.name)


class StopContainer(Record):
    """Signal, wait, then SIGKILL. signal: '' for the image's stop signal, or else SIGTERM.

    hooks: run one after the other before the signal. timeout: the seconds that hooks and program have together.
    replaces: it makes way for a container of the same name.
    """

    name: ContainerName
    signal: str
    timeout: float
    reason: str
    hooks: tuple[Hook, ...] = ()
    replaces: bool = False

    verb = Verb.STOP

    @property
    def resource(self) -> ResourceId:
        return ResourceId.container(self.name)


class RemoveContainer(Record):
    """Remove an exited or created container and what it wrote. volumes: what happens to its anonymous volumes.

    replaces: it makes way for a container of the same name.
    """

    name: ContainerName
    volumes: AnonymousVolumes
    reason: str
    replaces: bool = False

    verb = Verb.REMOVE

    @property
    def resource(self) -> ResourceId:
        return ResourceId.container(self.name)


Action = (
    PullImage
    | CreateNetwork
    | RemoveNetwork
    | CreateVolume
    | RemoveVolume
    | CheckContainer
    | CreateContainer
    | ConnectContainer
    | DisconnectContainer
    | StartContainer
    | RunHooks
    | DrainContainer
    | StopContainer
    | RemoveContainer
)
