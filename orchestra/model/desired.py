"""What should exist: a whole stack after loading, with nothing left to look up.

Times and durations are seconds, sizes are bytes, paths are absolute. ``config_hash`` covers a resource's own
definition and nothing else; spans are for messages and are never hashed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from orchestra.model.device_edits import DeviceEdits
from orchestra.model.hook import Hook
from orchestra.model.location import Location
from orchestra.model.mount import ImageMount, Mount
from orchestra.model.names import ContainerName, NetworkName, ServiceName, StackName, VolumeName
from orchestra.model.network_driver import NetworkDriver
from orchestra.model.sharing import OfContainer, OfService, Own, Sharing
from orchestra.model.update import Failing, Update
from orchestra.model.user_namespace import OfStack, UserNamespace
from orchestra.model.wish import Wish
from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.model.observed import Container


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


class DeviceValue(Record):
    """path: of a block device on the host; value: its weight, or its rate in bytes or operations per second."""

    path: str
    value: int


class BlockIO(Record):
    """weight: 10 to 1000, None for the default."""

    weight: int | None = None
    device_weights: tuple[DeviceValue, ...] = ()
    read_bytes: tuple[DeviceValue, ...] = ()
    read_operations: tuple[DeviceValue, ...] = ()
    write_bytes: tuple[DeviceValue, ...] = ()
    write_operations: tuple[DeviceValue, ...] = ()


class Resources(Record):
    """Limits of one container; None means none. cpus is in cores, weights as Docker's --cpu-shares (1024 is one).

    cpu_quota, cpu_period: microseconds, where there are no cpus; realtime_runtime, realtime_period: likewise, for
    programs with real-time scheduling. device_rules: ``TYPE MAJOR:MINOR ACCESS``, beyond those of the devices.
    """

    memory: int | None = None
    memory_reservation: int | None = None
    memory_swap: int | None = None
    memory_swappiness: int | None = None
    oom_kill_disable: bool = False
    cpus: float | None = None
    cpu_quota: int | None = None
    cpu_period: int | None = None
    realtime_runtime: int | None = None
    realtime_period: int | None = None
    cpu_shares: int | None = None
    cpuset: str = ""
    pids: int | None = None
    block_io: BlockIO = BlockIO()
    device_rules: tuple[str, ...] = ()


class Ulimit(Record):
    name: str
    soft: int
    hard: int


class Device(Record):
    source: str
    target: str
    permissions: str = "rwm"


class Tls(Record):
    """How a log receiver is reached with TLS. Paths on the host, empty for none.

    ca: certificates to trust besides the machine's. certificate, key: what this side shows. verify: whether the
    receiver must show a certificate that is trusted and has its name.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


class Receiver(Record):
    """Where log lines go besides the log file: to syslog or the journal, as the driver says.

    address: of syslog, as the file says it; empty for the machine's own. facility: its number. tag: with placeholders.
    labels, environment: names of those that are sent with each line. buffer: bytes that may wait. tls: None without.
    """

    address: str = ""
    format: str = ""
    facility: int = 3
    tag: str = "{{.ID}}"
    labels: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    buffer: int = 1 << 20
    tls: Tls | None = None


LOG_SIZE = 20 << 20
LOG_FILES = 5
"""The limits of a log of which the file says nothing: those of Docker's driver ``local``."""


class Logging(Record):
    """max_size in bytes (0: never rotate); max_file counts the live file too.

    driver: json-file, local, none, syslog or journald. The last two have a receiver.
    """

    driver: str = "json-file"
    max_size: int = LOG_SIZE
    max_file: int = LOG_FILES
    receiver: Receiver | None = None


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


class NetworkSpec(Record):
    """A network. ``key`` is its key in the file, ``name`` its name on the host. subnet '': the driver leases one.

    ip_range: the part of the subnet that containers get addresses from, '' for all of it; likewise of IPv6. reserved:
    addresses of both families that no container gets. containers: how many are to join, for the size of a leased
    subnet; not a part of the definition.
    """

    key: str
    name: NetworkName
    config_hash: str = ""
    external: bool = False
    internal: bool = False
    driver: NetworkDriver = NetworkDriver.BRIDGE
    subnet: str = ""
    gateway: str = ""
    ip_range: str = ""
    reserved: tuple[str, ...] = ()
    containers: int = 0
    driver_options: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}
    location: Location | None = None
    ipv4: bool = True
    ipv6: bool = False
    ipv6_subnet: str = ""
    ipv6_gateway: str = ""
    ipv6_ip_range: str = ""


class VolumeSpec(Record):
    """A named volume. ``key`` is its key in the file, ``name`` its name on the host."""

    key: str
    name: VolumeName
    config_hash: str = ""
    external: bool = False
    driver: str = "local"
    driver_options: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}
    location: Location | None = None


class ImageSpec(Record):
    """An image that some container needs: a reference with its transport, as in the file, with absolute paths.

    One reference for two platforms is two images.
    """

    reference: str
    platform: str = ""
    pull_policy: str = "missing"
    location: Location | None = None

    @property
    def key(self) -> str:
        """The name of the image within a stack: ``alpine``, or ``alpine (linux/arm64)`` if a platform is given."""
        return image_key(self.reference, self.platform)


def image_key(reference: str, platform: str) -> str:
    return f"{reference} ({platform})" if platform else reference


class ProviderSpec(Record):
    """A service that a program of its own manages, found in PATH by its ``kind``. options: for its command line."""

    service: ServiceName
    kind: str
    options: Mapping[str, tuple[str, ...]] = {}


class ModelSpec(Record):
    """An AI model that containers use. key: in the file; model: its name at a registry. context_size: 0 for its own."""

    key: str
    model: str
    context_size: int = 0
    runtime_flags: tuple[str, ...] = ()
    location: Location | None = None


class Request(Record):
    """What the last command asked of the whole stack beyond the file; for single services see ``Wish``.

    at: Unix time of the command. stop_timeout: in seconds, instead of every stop_grace_period. remove_orphans: remove
    containers of the stack that belong to no declared service, and networks no longer declared. remove_volumes: remove
    the stack's own when it goes down; remove_anonymous: only the anonymous ones of containers that are removed.
    """

    at: float = 0.0
    stop_timeout: float | None = None
    remove_orphans: bool = False
    remove_volumes: bool = False
    remove_anonymous: bool = False


class Earlier(Record):
    """What a container was made from before a command changed it: it goes back to this if the new one cannot start."""

    spec: ContainerSpec
    image_digest: str


class Desired(Record):
    """A whole stack as it should be.

    services: every service in the file, even those without wanted containers (scaled to 0, profile not active, or the
    stack going down), to tell orphans from them. disabled: those of them that no active profile enables; what they have
    stays as it is. A stack going down has no containers and no networks. models: those that containers use, and
    model_endpoint, where they answer. wishes: see ``wish``. earlier,
    earlier_networks: what the last command has changed, before the change, see ``plan.earlier``. provided: by service
    of ``providers``, the variables that it has given to containers that depend on it. finished: ids of the last one-off
    commands whose containers have been started and are gone, so that none is started twice. apart: what was asked of
    single replicas; see ``wish_of``.
    """

    stack: StackName
    project_directory: str = ""
    config_files: tuple[str, ...] = ()
    services: tuple[ServiceName, ...] = ()
    disabled: tuple[ServiceName, ...] = ()
    containers: tuple[ContainerSpec, ...] = ()
    networks: tuple[NetworkSpec, ...] = ()
    volumes: tuple[VolumeSpec, ...] = ()
    images: tuple[ImageSpec, ...] = ()
    request: Request = Request()
    wishes: Mapping[ServiceName, Wish] = {}
    apart: Mapping[ContainerName, Wish] = {}
    earlier: tuple[Earlier, ...] = ()
    earlier_networks: tuple[NetworkSpec, ...] = ()
    providers: tuple[ProviderSpec, ...] = ()
    provided: Mapping[ServiceName, Mapping[str, str]] = {}
    models: tuple[ModelSpec, ...] = ()
    model_endpoint: str = ""
    finished: tuple[str, ...] = ()
    failing: Mapping[ServiceName, Failing] = {}

    def container(self, name: str) -> ContainerSpec | None:
        return next((spec for spec in self.containers if spec.name == name), None)

    def replicas(self, service: str) -> tuple[ContainerSpec, ...]:
        return tuple(spec for spec in self.of_services if spec.service == service)

    @property
    def of_services(self) -> tuple[ContainerSpec, ...]:
        """The containers without those of one-off commands."""
        return tuple(spec for spec in self.containers if spec.one_off is None)

    @property
    def one_offs(self) -> tuple[ContainerSpec, ...]:
        return tuple(spec for spec in self.containers if spec.one_off is not None)

    def wish(self, service: ServiceName) -> Wish:
        """What is asked of a service; by default, that it runs."""
        return self.wishes.get(service) or Wish(self.request.at)

    def wish_of(self, container: Container | ContainerSpec) -> Wish:
        """What is asked of a replica: that of its service, unless a later command was about this replica alone."""
        own, shared = self.apart.get(container.name), self.wish(container.service)
        return shared if own is None or own.at < shared.at else own

    def stop_timeout(self, container: Container | ContainerSpec) -> float | None:
        """Seconds that it has to end; None for its own stop_grace_period."""
        own = self.wish_of(container).stop_timeout
        return self.request.stop_timeout if own is None else own

    @property
    def is_down(self) -> bool:
        """Whether nothing is wanted any more."""
        return not self.containers and not self.networks
