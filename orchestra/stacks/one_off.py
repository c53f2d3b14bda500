"""The container of a one-off command: that of a service, with what the command line says instead. Pure."""

from __future__ import annotations

import os

from orchestra.errors import UserError
from orchestra.model.container import ContainerSpec, Endpoint, OneOff, Port, Restart
from orchestra.model.mount import BindMount, Mount, VolumeMount
from orchestra.model.names import ContainerName
from orchestra.record import Record, replace
from orchestra.regex import regex
from orchestra.stacks.assignments import read_assignments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NAME = regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
LONGEST_NAME = 200
LABELS = "com.docker.compose"


class RunOptions(Record):
    """What ``run`` is asked for beyond the file.

    command: empty for that of the service. entrypoint: as one string of words; None for that of the service. labels,
    volumes, publish: as they are typed. service_ports: those of the service are published. use_aliases: other
    containers reach it by the names of the service. remove: when it has ended. terminal: it gets one. interactive: it
    gets standard input. pull: overrides the pull_policy of every image.
    """

    service: str
    command: tuple[str, ...] = ()
    name: str | None = None
    detach: bool = False
    remove: bool = False
    entrypoint: str | None = None
    environment: Mapping[str, str] = {}
    user: str | None = None
    working_directory: str | None = None
    labels: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    service_ports: bool = False
    use_aliases: bool = False
    no_deps: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    terminal: bool = False
    interactive: bool = True
    pull: str | None = None
    remove_orphans: bool = False


def one_off(
    stack: str,
    service: ContainerSpec,
    options: RunOptions,
    identifier: str,
    volumes: Mapping[str, str],
    directory: str,
) -> ContainerSpec:
    """service: one of its containers. identifier: random. volumes: names on the host by the file's words for them.

    directory: that relative paths start from. Raises UserError for options that cannot be understood.
    """
    name = ContainerName(_checked(options.name or f"{stack}-{service.service}-run-{identifier[:12]}"))
    attached = not options.detach
    entrypoint, command = _process(service, options)
    return replace(
        service,
        name=name,
        index=0,
        one_off=OneOff(identifier, alone=options.no_deps, remove_when_ended=options.remove),
        entrypoint=entrypoint,
        command=command,
        environment={**service.environment, **options.environment},
        user=service.user if options.user is None else options.user,
        working_directory=options.working_directory or service.working_directory,
        labels={**service.labels, **read_assignments("--label", options.labels), **_own_labels(identifier)},
        mounts=_mounts(service.mounts, [_mount(text, volumes, directory) for text in options.volumes]),
        endpoints=tuple(_endpoint(each, service.name, name, options) for each in service.endpoints),
        ports=(*(service.ports if options.service_ports else ()), *_ports(options.publish)),
        restart=Restart(),
        pre_start=(),
        tty=options.terminal if attached else service.tty,
        stdin_open=options.interactive if attached else service.stdin_open,
        cap_add=_merged(service.cap_add, options.cap_add, options.cap_drop),
        cap_drop=_merged(service.cap_drop, options.cap_drop, options.cap_add),
    )


def _checked(name: str) -> str:
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        hint = f"use up to {LONGEST_NAME} letters, digits, underscores, dots and dashes; begin with a letter or digit"
        raise UserError(f"--name {name}: not the name of a container", hint=hint)
    return name


def _process(service: ContainerSpec, options: RunOptions) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Entrypoint and command. Another entrypoint leaves nothing of the service's command."""
    if options.entrypoint is None:
        return service.entrypoint, options.command or service.command
    from orchestra.compose.shellwords import split

    try:
        words, rest = split(options.entrypoint)
    except ValueError as error:
        raise UserError(f"--entrypoint {options.entrypoint}: {error}") from None
    if rest:
        hint = "for a shell's operators write --entrypoint sh SERVICE -c 'COMMAND'"
        raise UserError(f"--entrypoint {options.entrypoint}: no shell reads it", hint=hint)
    return words, options.command


def _own_labels(identifier: str) -> dict[str, str]:
    return {f"{LABELS}.oneoff": "True", f"{LABELS}.container-number": "0", f"{LABELS}.slug": identifier}


def _mounts(own: Sequence[Mount], more: Sequence[Mount]) -> tuple[Mount, ...]:
    """A target named twice is mounted once, as the command line says."""
    return tuple({mount.target: mount for mount in (*own, *more)}.values())


def _mount(text: str, volumes: Mapping[str, str], directory: str) -> Mount:
    from orchestra.compose.shorthand import parse_volume

    try:
        volume = parse_volume(text)
    except ValueError as error:
        raise UserError(f"--volume {text}: {error}", hint="expected SOURCE:TARGET, or TARGET") from None
    target, source = volume["target"], volume.get("source", "")
    if not target.startswith("/"):
        raise UserError(f"--volume {text}: {target} is not an absolute path")
    read_only = bool(volume.get("read_only"))
    propagation = volume.get("bind", {}).get("propagation", "")
    if volume["type"] == "bind":
        path = os.path.normpath(os.path.join(directory, os.path.expanduser(source)))
        return BindMount(target, path, read_only, create_host_path=True, propagation=propagation)
    if source and source not in volumes:
        hint = "declare it in the file, or write the path of a directory, such as ./data"
        raise UserError(f"--volume {text}: the file declares no volume {source}", hint=hint)
    inner = volume.get("volume", {})
    return VolumeMount(
        target,
        volumes[source] if source else "",
        read_only,
        subpath=inner.get("subpath", ""),
        no_copy=bool(inner.get("nocopy")),
    )


def _ports(entries: Iterable[str]) -> list[Port]:
    if not entries:
        return []
    from orchestra.compose.shorthand import parse_port
    from orchestra.units import parse_port_range

    found = []
    for entry in entries:
        try:
            for port in parse_port(entry):
                published = parse_port_range(port["published"]).first if "published" in port else None
                found.append(Port(port["target"], published or None, port.get("host_ip", ""), port["protocol"]))
        except ValueError as error:
            raise UserError(f"--publish {entry}: {error}", hint="expected HOST:CONTAINER, such as 8080:80") from None
    return found


def _endpoint(endpoint: Endpoint, of_service: str, name: str, options: RunOptions) -> Endpoint:
    """Without the addresses of the service, which its own container may have."""
    aliases = tuple(alias for alias in endpoint.aliases if alias != of_service) if options.use_aliases else ()
    fixed = filter(None, (endpoint.ipv4_address, endpoint.ipv6_address))
    return replace(
        endpoint,
        aliases=(*aliases, name),
        ipv4_address="",
        ipv6_address="",
        mac_address="",
        reserved=tuple(dict.fromkeys((*endpoint.reserved, *fixed))),
    )


def _merged(own: Iterable[str], more: Sequence[str], without: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(each for each in own if each not in without), *more)))
