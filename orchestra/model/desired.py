"""What should exist: a whole stack after loading, with nothing left to look up.

Times and durations are seconds, sizes are bytes, paths are absolute. ``config_hash`` covers a resource's own
definition and nothing else; spans are for messages and are never hashed.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.model.container import ContainerSpec, image_key
from orchestra.model.location import Location
from orchestra.model.names import ContainerName, NetworkName, ServiceName, StackName, VolumeName
from orchestra.model.network_driver import NetworkDriver
from orchestra.model.update import Failing
from orchestra.model.wish import Wish
from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.model.observed import Container


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
