"""What exists: found by looking at the world, never remembered. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from orchestra.model.codec import tagged
from orchestra.model.health import NOT_PROBED, Health
from orchestra.model.hook import Hook
from orchestra.model.location import Location
from orchestra.model.names import ContainerName, NetworkName, ServiceName, StackName, VolumeName
from orchestra.model.resource import ResourceId
from orchestra.record import Record


class Verb(StrEnum):
    """What is done to a resource: the actions of a plan, and what the engine does besides them (LOOK, PROBE)."""

    PULL = "pull"
    CHECK = "check"
    CREATE = "create"
    START = "start"
    STOP = "stop"
    REMOVE = "remove"
    LOOK = "look at"
    PROBE = "probe"
    HOOK = "hook"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    DRAIN = "drain"


BY_HAND = "by hand"
"""In place of the hash of an endpoint: no file asked for it."""


class Healthcheck(Record):
    """How a container's health is checked. test: an argv. The defaults are Docker's."""

    test: tuple[str, ...]
    interval: float = 30.0
    timeout: float = 30.0
    retries: int = 3
    start_period: float = 0.0
    start_interval: float = 5.0


@tagged
class Created(Record):
    """The bundle exists, but no process has run in it."""


@tagged
class Running(Record):
    """paused: its processes stand still. stopping: it was asked to stop, so its pre_stop hooks are over."""

    pid: int
    started_at: float
    health: Health = NOT_PROBED
    paused: bool = False
    stopping: bool = False


@tagged
class Exited(Record):
    """exit_code: 128 + the signal's number if a signal ended it. exit_code None: it could not be learned.

    stopped: it ended after a request to stop it, so it runs again as soon as it is wanted, whatever its policy.
    memory_peak: the most bytes it used at once, if it was killed because memory ran out; 0 if that is not known.
    """

    exit_code: int | None
    started_at: float
    finished_at: float
    oom_killed: bool = False
    stopped: bool = False
    memory_peak: int = 0

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0


Status = Created | Running | Exited


class Container(Record):
    """One container of the stack.

    restarts: how often the restart policy has started it since it was created or asked for; backoff: how many of those
    in a row came after a short run. addresses: network name to the address there. ports: published ports in effect, as
    ``HOST_IP:PORT->PORT/PROTOCOL``; exposed: those that file and image only mention, as ``PORT/PROTOCOL``.
    image_digest: identity of the image it was made from; mounted_images: of those it mounts, by their key.
    healthcheck: of file and image together; None for none.
    damage: which of its files cannot be read, and why; then it is replaced if it is wanted, and removed if not.
    depends_on, stop_signal and stop_grace_period are those of the ContainerSpec it was made from: a stack going down
    has no other source. error: why it could not be started when that was tried last; empty once it was started.
    one_off: it was made for one command, or as an init container, and is no replica of its service. initializes,
    post_start, pre_stop: as in ContainerSpec.
    endpoints: by network it is connected to, the hash of the endpoint in the file, or BY_HAND. left: by network that it
    was disconnected from by hand, when.
    hooks_done: how many of post_start have succeeded since a command last started it.
    drained_at: when it gave its names and published ports to the other containers of its service, 0 if it did not;
    stand_in: as in ContainerSpec.
    made_with: by container whose namespaces it shares, whose volumes it mounts or that it initializes, the id that
    container had when this one was made. runs_with: the same of those that it is restarted with (``restart: true``) and
    the beginning of its last run. Times do not tell: the clock may be set back.
    """

    name: ContainerName
    service: ServiceName
    index: int
    id: str
    config_hash: str
    image: str
    image_digest: str
    status: Status
    created_at: float
    restarts: int = 0
    backoff: int = 0
    command: tuple[str, ...] = ()
    addresses: Mapping[str, str] = {}
    ports: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    networks: tuple[NetworkName, ...] = ()
    volumes: tuple[VolumeName, ...] = ()
    depends_on: tuple[ServiceName, ...] = ()
    stop_signal: str = ""
    stop_grace_period: float = 10.0
    healthcheck: Healthcheck | None = None
    error: str = ""
    damage: str = ""
    mounted_images: Mapping[str, str] = {}
    one_off: bool = False
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    hooks_done: int = 0
    initializes: ContainerName = ContainerName("")
    endpoints: Mapping[str, str] = {}
    left: Mapping[str, float] = {}
    drained_at: float = 0.0
    stand_in: bool = False
    made_with: Mapping[ContainerName, str] = {}
    runs_with: Mapping[ContainerName, str] = {}

    @property
    def hooks_left(self) -> tuple[Hook, ...]:
        """The post_start hooks that have not succeeded yet."""
        return self.post_start[self.hooks_done :]

    def uses_network(self, name: str) -> bool:
        return name in self.networks or self._is_unknown

    def uses_volume(self, name: str) -> bool:
        return name in self.volumes or self._is_unknown

    @property
    def _is_unknown(self) -> bool:
        """Its own record is damaged: it may use anything."""
        return bool(self.damage) and not self.id


class Network(Record):
    """external: not made by this stack, so never removed by it. loss: what others have removed or changed, in words."""

    name: NetworkName
    config_hash: str = ""
    external: bool = False
    loss: str = ""


class Volume(Record):
    name: VolumeName
    config_hash: str = ""
    external: bool = False


class Image(Record):
    """An image that is unpacked and ready. key: ``ImageSpec.key``; digest: identity of what the reference names *now*.

    pulled_at: Unix time of the last comparison with its source. healthcheck: its own.
    """

    key: str
    digest: str
    pulled_at: float = 0.0
    healthcheck: Healthcheck | None = None


class Failure(Record):
    """The last failure of a resource. Other kinds of action on it are not affected.

    attempts: how often in a row ``verb`` has failed since a command asked for it; at: when the last attempt began;
    hint: what to do about it. in_use: another stack uses what should be removed. location: what of the file has failed,
    where that is known; else it is the resource as a whole. not_executable: errno of a program that cannot be executed.
    """

    resource: ResourceId
    verb: Verb
    error: str
    temporary: bool
    attempts: int
    at: float
    hint: str = ""
    in_use: bool = False
    location: Location | None = None
    not_executable: int = 0


class Check(Record):
    """At ``at``, a definition with this image was found able to replace the running container."""

    config_hash: str
    image_digest: str
    at: float


class Observed(Record):
    """The parts of the world that matter to this stack. Mappings are keyed by name on the host, images by their key.

    checked, refused: for containers whose definition has changed, what is known of the new one. This supervisor has
    found it out, and the next one will do so again.
    """

    stack: StackName
    containers: Mapping[str, Container] = {}
    networks: Mapping[str, Network] = {}
    volumes: Mapping[str, Volume] = {}
    images: Mapping[str, Image] = {}
    failures: Mapping[ResourceId, Failure] = {}
    checked: Mapping[str, Check] = {}
    refused: Mapping[str, Failure] = {}
