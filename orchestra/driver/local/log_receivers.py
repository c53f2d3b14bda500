"""The log drivers ``syslog`` and ``journald`` on this machine: where lines go, and with which tag."""

from __future__ import annotations

import os
import re
import socket
from typing import TYPE_CHECKING

from orchestra.container import settings
from orchestra.container.directory import ContainerDirectory, DamagedFile
from orchestra.errors import FatalError, TemporaryError
from orchestra.named_tuple import NamedTuple
from orchestra.regex import regex

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec
    from orchestra.model.logging import Receiver

JOURNAL = "/run/systemd/journal/socket"
SYSLOG = "/dev/log"
_PORT = 514
_SHORT = 12
_PLACEHOLDER = regex(r"\{\{\s*\.(\w+)\s*\}\}")


class Identity(NamedTuple):
    """The parts of a container's identity that are not in its definition."""

    id: str
    image_digest: str
    command: tuple[str, ...]


def check_receiver(spec: ContainerSpec) -> None:
    """Raise FatalError if the machine has no such receiver, TemporaryError if its name cannot be resolved."""
    if spec.logging.receiver is not None:
        _address(spec, spec.logging.receiver)
        _tls(spec, spec.logging.receiver)


def resolve_receiver(spec: ContainerSpec, identity: Identity) -> settings.Receiver | None:
    """The receiver with all names resolved, since the shim only sends. Raises the errors of ``check_receiver``."""
    receiver = spec.logging.receiver
    if receiver is None:
        return None
    tag = _render_tag(receiver.tag, spec, identity)
    return settings.Receiver(
        spec.logging.driver,
        _address(spec, receiver),
        tag,
        receiver.facility,
        receiver.format,
        _journal_fields(spec, receiver, identity) if spec.logging.driver == "journald" else {},
        receiver.buffer,
        _tls(spec, receiver),
    )


def keeps_no_log(directory: str) -> bool:
    """Whether the log driver of a container is ``none``, according to its directory."""
    try:
        return settings.load_settings(ContainerDirectory(directory)).log is None
    except (DamagedFile, FileNotFoundError):
        return False


def _address(spec: ContainerSpec, receiver: Receiver) -> str:
    if spec.logging.driver == "journald" or not receiver.address:
        path = JOURNAL if spec.logging.driver == "journald" else SYSLOG
        if not os.path.exists(path):
            message = f"service {spec.service}: log driver {spec.logging.driver}: this machine has no {path}"
            raise FatalError(message, hint="start the daemon that makes it, or use the log driver json-file")
        return f"unix://{path}"
    from urllib.parse import urlsplit

    parts = urlsplit(receiver.address)
    if parts.scheme in ("unix", "unixgram"):
        return f"unix://{parts.path}"
    host, port = parts.hostname or "", parts.port or _PORT
    try:
        _family, _type, _protocol, _name, found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        message = f"service {spec.service}: syslog-address: {host} cannot be resolved: {error.strerror}"
        raise TemporaryError(message) from error
    number, scheme = found[0], parts.scheme.partition("+")[0]
    return f"{scheme}://[{number}]:{port}" if ":" in str(number) else f"{scheme}://{number}:{port}"


def _tls(spec: ContainerSpec, receiver: Receiver) -> settings.Tls | None:
    tls = receiver.tls
    if tls is None:
        return None
    for option, path in (("ca-cert", tls.ca), ("cert", tls.certificate), ("key", tls.key)):
        if path and not os.path.isfile(path):
            message = f"service {spec.service}: syslog-tls-{option}: there is no file {path}"
            raise FatalError(message, hint="correct the path; a relative one begins at the folder of the stack")
    from urllib.parse import urlsplit

    name = urlsplit(receiver.address).hostname or ""
    return settings.Tls(name, tls.ca, tls.certificate, tls.key, tls.verify)


def _render_tag(tag: str, spec: ContainerSpec, identity: Identity) -> str:
    image_id = identity.image_digest.partition(":")[2] or identity.image_digest
    values = {
        "ID": identity.id[:_SHORT],
        "FullID": identity.id,
        "Name": spec.name,
        "ImageID": image_id[:_SHORT],
        "ImageFullID": identity.image_digest,
        "ImageName": spec.image,
        "DaemonName": "orchestra",
        "Command": " ".join(identity.command),
    }
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), tag)


def _journal_fields(spec: ContainerSpec, receiver: Receiver, identity: Identity) -> dict[str, str]:
    """Docker's fields, and those of the chosen labels and variables."""
    extra = {name: spec.labels[name] for name in receiver.labels if name in spec.labels}
    extra |= {name: spec.environment[name] for name in receiver.environment if name in spec.environment}
    return {
        **{field: value for name, value in extra.items() if (field := _field_name(name))},
        "CONTAINER_ID": identity.id[:_SHORT],
        "CONTAINER_ID_FULL": identity.id,
        "CONTAINER_NAME": spec.name,
        "IMAGE_NAME": spec.image,
    }


def _field_name(name: str) -> str:
    """A journal field: capital letters, digits and underscores, without a leading one (systemd.journal-fields(7))."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper()).lstrip("_0123456789")[:64]
