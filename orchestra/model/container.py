"""What one container should be, as its file defines it. Standard library only: the supervisor reads it back.

Spans are for messages and are never hashed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from orchestra.model.device_edits import DeviceEdits
from orchestra.model.hook import Hook
from orchestra.model.limits import Device, Resources, Ulimit
from orchestra.model.location import Location
from orchestra.model.logging import Logging
from orchestra.model.mount import ImageMount, Mount
from orchestra.model.names import ContainerName, NetworkName, ServiceName
from orchestra.model.sharing import OfContainer, OfService, Own, Sharing
from orchestra.model.update import Update
from orchestra.model.user_namespace import OfStack, UserNamespace
from orchestra.record import Record


class Condition(StrEnum):
    """When a dependency counts as ready (Compose ``depends_on.*.condition``)."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


class RestartPolicy(StrEnum):
    NO = "no"
    ALWAYS = "always"
    ON_FAILURE = "on-failure"
    UNLESS_STOPPED = "unless-stopped"


class Dependency(Record):
    """One edge of ``depends_on``. ``required`` false: a missing or failed dependency does not block."""

    service: ServiceName
    condition: Condition = Condition.STARTED
    restart: bool = False
    required: bool = True


class HealthcheckSpec(Record):
    """The health check in the file; empty and 0 mean the image's value, otherwise Docker's default.

    ``test`` is an argv; CMD-SHELL is already expanded to /bin/sh -c.
    """

    test: tuple[str, ...] = ()
    interval: float = 0.0
    timeout: float = 0.0
    retries: int = 0
    start_period: float = 0.0
    start_interval: float = 0.0


class Restart(Record):
    """``maximum_retries``: None means no limit. delay: in seconds, before every run after the first; 0 backs off.

    window: seconds that a run must last to have succeeded: then retries are counted anew. With 0 they never are, and
    the back-off begins again after a while. unhealthy: a container that becomes unhealthy is restarted, too.
    """

    policy: RestartPolicy = RestartPolicy.NO
    maximum_retries: int | None = None
    delay: float = 0.0
    window: float = 0.0
    unhealthy: bool = False


class Port(Record):
    """One published port. published None: any free host port. protocol: tcp, udp or sctp.

    automatic: if another program uses the host port, a free one takes its place.
    """

    target: int
    published: int | None = None
    host_ip: str = ""
    protocol: str = "tcp"
    location: Location | None = None
    automatic: bool = False


class Endpoint(Record):
    """How a container joins a network. ``network`` is the name on the host.

    config_hash: of what a running container can be given anew; the rest is part of that of the container.
    ipv4_address, ipv6_address: '' for any free one, but none of ``reserved``: those that the file gives to containers.
    gateway_priority: the highest one's network has the default route. link_local_addresses: further addresses of
    169.254.0.0/16 and fe80::/64. interface_name: '' for the next number. settings: pairs of a file below /proc/sys, in
    which IFNAME stands for the interface, and its content.
    """

    network: NetworkName
    aliases: tuple[str, ...] = ()
    ipv4_address: str = ""
    mac_address: str = ""
    priority: int = 0
    reserved: tuple[str, ...] = ()
    gateway_priority: int = 0
    link_local_addresses: tuple[str, ...] = ()
    interface_name: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    ipv6_address: str = ""
    config_hash: str = ""


class OneOff(Record):
    """What makes a container that of one command: it is created and started once, whatever is asked of its service.

    id: unlike that of any other command. at: Unix time of the command. started: it has been, and is never again. alone:
    it starts without waiting for what it depends on. remove_when_ended: with its anonymous volumes. caller: the socket
    of the client that is attached from the first byte, empty for none.
    """

    id: str
    at: float = 0.0
    started: bool = False
    alone: bool = False
    remove_when_ended: bool = False
    caller: str = ""


class VolumeSource(Record):
    """A container whose volumes another one mounts (``volumes_from``)."""

    whose: OfService | OfContainer
    read_only: bool = False


class ContainerSpec(Record):
    """One container as it should be: replicas are expanded, images are named, no path is relative.

    command, entrypoint: None for the image's. environment: without the image's own. network_mode: for Own, the networks
    are those in ``endpoints``. external_links: pairs of an alias and the name of a container outside the stack, which
    resolves if they share a network. volumes_from: of services only for their anonymous volumes. expose:
    ``PORT/PROTOCOL``, for information. hostname '': the container's name. rank: start rank of its service in the
    dependency graph, 0 first. devices_not_found: why it cannot be made, in words.
    post_start: run in the container after a command has started it; pre_stop: before it is asked to stop. pre_start:
    init containers, which must complete in their order before its first start. initializes: of an init container, the
    container that it is made after, whose anonymous volumes it shares; it is no replica and has the index 0. step: its
    place among those of that container, from 0.
    one_off: of the container of a command, which is no replica of its service and has the index 0.
    caller: a socket at which a client may wait to be attached to each run from its first byte; standard input ends with
    that client's, and a run without a client has none. Empty for none.
    model_endpoints: variables that are to hold the address of models. update: None for all replicas at once. rollback:
    how it goes back after an update that failed. stand_in: it runs only during an update, see ``plan.stand_ins``.
    remove_when_ended: see ``plan.temporary``.
    """

    name: ContainerName
    service: ServiceName
    index: int
    image: str
    config_hash: str
    rank: int = 0
    depends_on: tuple[Dependency, ...] = ()
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = {}
    working_directory: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    hostname: str = ""
    domainname: str = ""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    mounts: tuple[Mount, ...] = ()
    volumes_from: tuple[VolumeSource, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    network_mode: Sharing = Own()
    pid: Sharing = Own()
    ipc: Sharing = Own()
    uts: Sharing = Own()
    cgroup: Sharing = Own()
    user_namespace: UserNamespace = OfStack()
    external_links: tuple[tuple[str, str], ...] = ()
    ports: tuple[Port, ...] = ()
    expose: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()
    healthcheck: HealthcheckSpec | None = None
    healthcheck_disabled: bool = False
    restart: Restart = Restart()
    stop_signal: str = ""
    stop_grace_period: float = 10.0
    init: bool = False
    tty: bool = False
    stdin_open: bool = False
    read_only: bool = False
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_options: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = {}
    ulimits: tuple[Ulimit, ...] = ()
    devices: tuple[Device, ...] = ()
    device_edits: DeviceEdits = DeviceEdits()
    devices_not_found: tuple[str, ...] = ()
    shm_size: int | None = None
    oom_score_adj: int | None = None
    resources: Resources = Resources()
    logging: Logging = Logging()
    runtime: str = ""
    platform: str = ""
    pull_policy: str = "missing"
    attach: bool = True
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    pre_start: tuple[ContainerSpec, ...] = ()
    initializes: ContainerName = ContainerName("")
    step: int = 0
    one_off: OneOff | None = None
    model_endpoints: tuple[str, ...] = ()
    update: Update | None = None
    rollback: Update | None = None
    stand_in: bool = False
    caller: str = ""
    remove_when_ended: bool = False
    location: Location | None = None

    @property
    def image_key(self) -> str:
        """``ImageSpec.key`` of its image."""
        return image_key(self.image, self.platform)

    @property
    def image_keys(self) -> tuple[str, ...]:
        """That, and those of the images that it mounts, and of its init containers."""
        return (self.image_key, *self.mounted_image_keys, *(init.image_key for init in self.pre_start))

    @property
    def anonymous_owner(self) -> ContainerName:
        """The container that its anonymous volumes belong to."""
        return self.initializes or self.name

    @property
    def lenders(self) -> tuple[ServiceName, ...]:
        """The services of the stack whose namespaces it joins (``service:NAME``), or whose volumes it mounts."""
        sources = (self.network_mode, self.pid, self.ipc, *(source.whose for source in self.volumes_from))
        return tuple(whose.service for whose in sources if isinstance(whose, OfService))

    @property
    def mounted_image_keys(self) -> tuple[str, ...]:
        return tuple(image_key(mount.image, self.platform) for mount in self.mounts if isinstance(mount, ImageMount))


def image_key(reference: str, platform: str) -> str:
    return f"{reference} ({platform})" if platform else reference
