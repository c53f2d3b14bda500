"""What a stack from elsewhere will access on this machine, and whether the user accepted that."""

from __future__ import annotations

import hashlib
import json
import os

from orchestra.errors import UserError
from orchestra.linux import private_files
from orchestra.linux.directory_lock import locked
from orchestra.named_tuple import NamedTuple
from orchestra.record import Record, replace
from orchestra.stacks.sensitive import is_secret_by_name
from orchestra.stacks.sources.reference import without_password

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestra.compose import Loaded, LoadRequest
    from orchestra.compose.schema.service import Service

HOST_NAMESPACES = ("network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup")
MORE_RIGHTS = ("cap_add", "security_opt", "device_cgroup_rules")


class Setting(NamedTuple):
    """One variable of the files. value: its value, None if not set. source: the origin of the value, in words."""

    name: str
    value: str | None
    source: str
    required: bool


class Reach(Record):
    """files: the local copy of each file from elsewhere. services: what each may do, in words. read: files of this
    machine that are neither copies nor below the stack's own directory.
    """

    stack: str
    files: Mapping[str, str]
    services: Mapping[str, tuple[str, ...]]
    settings: tuple[Setting, ...]
    read: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """A digest that changes if any of the files changes, or if they use another variable."""
        known = [sorted(self.files.items()), [setting.name for setting in self.settings]]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def find_reach(request: LoadRequest, loaded: Loaded, directory: str) -> Reach:
    """request: the request that led to ``loaded``. directory: of the copies. Nothing is fetched again."""
    from orchestra.compose.loading import assemble
    from orchestra.compose.request import Passes
    from orchestra.compose.variables import find_variables, texts_of

    fetched = loaded.inputs.fetched
    assembled = assemble(replace(request, fetch=fetched.__getitem__), Passes(interpolate=False))
    environment = assembled.project.environment
    settings = []
    for name, required, default, _ in find_variables(texts_of(assembled.document)):
        value, source = environment.lookup(name), environment.origin(name)
        if value is None and default:
            value, source = default, "the Compose file"
        if value and is_secret_by_name(name, value):
            value = "(not shown)"
        settings.append(Setting(name, value, source, required))
    services = {
        name: tuple(_powers(loaded, service, directory)) for name, service in sorted(loaded.stack.services.items())
    }
    files = {without_password(reference): path for reference, path in fetched.items()}
    own = (f"{directory}/", f"{assembled.project.directory}/")
    read = tuple(sorted(path for path, found in loaded.inputs.files.items() if found and not path.startswith(own)))
    return Reach(str(loaded.desired.stack), files, services, tuple(settings), read)


def _powers(loaded: Loaded, service: Service, directory: str) -> Iterator[str]:
    def place(path: str) -> str:
        if not path.startswith(f"{directory}/"):
            return f"{path} of this machine"
        kind, *parts = path.removeprefix(f"{directory}/").split("/")
        return f"its own ./{'/'.join(parts[3 if kind == 'git' else 2 :])}"

    if service.provider is not None:
        yield f"runs the program {service.provider.type} on this machine"
        return
    yield f"image {service.image}" if service.image else "an image that is built"
    for port in service.ports:
        host = port.host_ip or ""
        address = f"[{host}]:" if ":" in host else host and f"{host}:"
        yield f"port {address}{port.published or 'any'} -> {port.target}/{port.protocol}"
    for volume in service.volumes:
        if volume.type == "bind":
            yield f"reads {'' if volume.read_only else 'and writes '}{place(volume.source or '')}"
        elif volume.type == "volume" and (device := _device(loaded, volume.source or "")):
            yield f"volume {volume.source} of {device}"
    for kind, used, declared in (
        ("config", service.configs, loaded.stack.configs),
        ("secret", service.secrets, loaded.stack.secrets),
    ):
        for entry in used:
            definition = declared.get(entry.source or "")
            if definition is not None and definition.file:
                yield f"{kind} of {place(definition.file)}"
    if service.privileged:
        yield "privileged"
    if service.use_api_socket:
        yield "the API of this machine's containers"
    for name in HOST_NAMESPACES:
        if getattr(service, name) == "host":
            yield f"{name}: host"
    for name in MORE_RIGHTS:
        if values := getattr(service, name):
            yield f"{name}: {', '.join(map(str, values))}"
    yield from (f"device {device.source}" for device in service.devices)
    if service.gpus:
        yield "gpus"


def _device(loaded: Loaded, volume: str) -> str:
    """The device of a volume that is not a folder of its own; else ''."""
    declared = loaded.stack.volumes.get(volume)
    return str((declared.driver_opts or {}).get("device") or "") if declared is not None else ""


def is_accepted(directory: str, reach: Reach) -> bool:
    """directory: of the copies."""
    return os.path.exists(f"{directory}/accepted/{reach.digest}")


def need_accepted(directory: str, reach: Reach) -> None:
    """directory: of the copies. Raises UserError for files from elsewhere that were not accepted, now or earlier."""
    if not is_accepted(directory, reach):
        raise UserError(
            f"stack {reach.stack} has files from elsewhere that were not accepted yet: {', '.join(reach.files)}",
            hint="look at them with orchestra config, then accept them with orchestra up",
        )


def accept(directory: str, reach: Reach) -> None:
    private_files.make_directories(f"{directory}/accepted")
    with locked(f"{directory}/accepted"):
        private_files.store(f"{directory}/accepted/{reach.digest}", json.dumps(dict(reach.files)).encode())
