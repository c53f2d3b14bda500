"""A specification completed by what only the machine knows: the image's configuration, and what others lend."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestra.driver.local import volume
from orchestra.driver.local.image.layers.lookup import read_file
from orchestra.driver.local.image.registry.credentials import stored_credentials
from orchestra.driver.local.lent_mounts import lent_mounts
from orchestra.driver.local.own_users import default_user, ids_needed
from orchestra.driver.local.user import resolve_user
from orchestra.errors import FatalError
from orchestra.linux.process import parse_signal
from orchestra.model.mount import ApiAccess, ApiMount, FileMount, VolumeMount
from orchestra.model.user_namespace import OfStack
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.driver.local.image.store import ReadyImage
    from orchestra.driver.local.user import User
    from orchestra.home import Home
    from orchestra.model.container import ContainerSpec


def complete(
    home: Home, stack: str, spec: ContainerSpec, image: ReadyImage, environment: Mapping[str, str]
) -> ContainerSpec:
    """Add what other containers and the image bring: volumes, stop signal and exposed ports.

    Volumes without a name get one. environment: says where credentials for registries are. Raises TemporaryError if a
    container that lends its volumes does not exist, and FatalError for a signal that does not.
    """
    mounts = spec.mounts + _credentials(spec, environment)
    for more in (lent_mounts(home, stack, spec), tuple(map(VolumeMount, image.config.volumes))):
        taken = {os.path.normpath(mount.target) for mount in mounts}
        mounts += tuple(mount for mount in more if os.path.normpath(mount.target) not in taken)
    named = tuple(
        replace(mount, name=volume.anonymous_name(stack, spec.anonymous_owner, mount.target))
        if isinstance(mount, VolumeMount) and not mount.name
        else mount
        for mount in mounts
    )
    return replace(
        spec,
        mounts=named,
        stop_signal=_stop_signal(spec, image),
        expose=spec.expose + image.config.exposed_ports,
    )


def find_user(spec: ContainerSpec, image: ReadyImage) -> User:
    """The user that its program runs as, by the image's files. Raises FatalError if there is none."""
    text = spec.user or image.config.user or default_user(spec)
    own = not isinstance(spec.user_namespace, OfStack)
    return resolve_user(text, *_user_files(image), additional=spec.groups, own=own)


def count_ids(user: User, image: ReadyImage) -> int:
    """How many ids a container of this image needs."""
    return ids_needed(user, *_user_files(image))


def _user_files(image: ReadyImage) -> tuple[str, str]:
    def text(path: str) -> str:
        return (read_file(image.layers, path) or b"").decode(errors="replace")

    return text("/etc/passwd"), text("/etc/group")


def _credentials(spec: ContainerSpec, environment: Mapping[str, str]) -> tuple[FileMount, ...]:
    """For a container that may pull and push images through the API. Never a part of what is written down."""
    if not any(isinstance(mount, ApiMount) and mount.access is ApiAccess.ALL for mount in spec.mounts):
        return ()
    return (FileMount("/run/secrets/docker/config.json", content=stored_credentials(environment), mode=0o400),)


def _stop_signal(spec: ContainerSpec, image: ReadyImage) -> str:
    """Refused here, because a container with a signal that does not exist could never be stopped."""
    name = spec.stop_signal or image.config.stop_signal
    try:
        if name:
            parse_signal(name)
    except ValueError as error:
        whose = "stop_signal" if spec.stop_signal else "the image's STOPSIGNAL, or give the service a stop_signal"
        raise FatalError(f"service {spec.service}: {error}", hint=f"correct {whose}") from None
    return name
