"""What a container mounts of others by ``volumes_from``: what only these containers know about themselves.

From services of the stack come anonymous volumes; the other mounts are in the file. From a container come its volumes
and bind mounts.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestra.container.directory import ContainerDirectory, DamagedFile
from orchestra.driver.local.record import load_record, sound
from orchestra.driver.local.volume.store import DATA
from orchestra.driver.local.volume.store import load_record as load_volume
from orchestra.errors import TemporaryError
from orchestra.model.mount import BindMount, VolumeMount
from orchestra.model.names import short_id
from orchestra.model.sharing import OfService
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.driver.local.record import ContainerRecord
    from orchestra.home import Home
    from orchestra.model.container import ContainerSpec
    from orchestra.model.mount import Mount


class _Lender(NamedTuple):
    directory: str
    record: ContainerRecord


def lent_mounts(home: Home, stack: str, spec: ContainerSpec) -> tuple[Mount, ...]:
    """The mounts of all containers named in ``volumes_from``; of two at one place, the last.

    Raises TemporaryError if a container that is named by its own name does not exist.
    """
    found: dict[str, Mount] = {}
    for source in spec.volumes_from:
        match source.whose:
            case OfService(service):
                # The plan makes it first. Without it (``--no-deps``), there is nothing to mount.
                mounts: list[Mount] = [
                    mount
                    for lender in _containers(home, stack)
                    if (lender.record.container.service, lender.record.container.index) == (service, 1)
                    for mount in _anonymous(home, lender.record, read_only=source.read_only)
                ]
            case named:
                mounts = list(_all(home, _find(home, stack, spec, named.container), read_only=source.read_only))
        found |= {os.path.normpath(mount.target): mount for mount in mounts}
    return tuple(found.values())


def _containers(home: Home, stack: str) -> Iterator[_Lender]:
    above = home.stack(stack).containers
    for name in sorted(os.listdir(above)) if os.path.isdir(above) else ():
        record = sound(load_record, home.stack(stack).container(name))
        if record is not None:
            yield _Lender(home.stack(stack).container(name), record)


def _find(home: Home, stack: str, spec: ContainerSpec, name: str) -> _Lender:
    """The container of this name or id, of any stack."""
    others = sorted(set(os.listdir(home.stacks_run)) - {stack}) if os.path.isdir(home.stacks_run) else []
    for each in (stack, *others):
        for lender in _containers(home, each):
            if name in (lender.record.container.name, lender.record.container.id, short_id(lender.record.container.id)):
                return lender
    raise TemporaryError(f"container {spec.name}: there is no container {name}, whose volumes it mounts")


def _anonymous(home: Home, record: ContainerRecord, *, read_only: bool) -> Iterator[VolumeMount]:
    for name in record.container.volumes:
        volume = load_volume(home, name)
        if volume is not None and volume.container:
            yield VolumeMount(volume.target, name, read_only, no_copy=True)


def _all(home: Home, lender: _Lender, *, read_only: bool) -> Iterator[Mount]:
    """As its bundle has them, without the files of its own directory, which end with it."""
    try:
        entries = ContainerDirectory(lender.directory).load_config()["mounts"]
    except (DamagedFile, FileNotFoundError) as error:
        message = f"container {lender.record.container.name}, whose volumes are to be mounted, is not complete"
        raise TemporaryError(message) from error
    for entry in entries:
        source, target, options = str(entry.get("source", "")), entry["destination"], entry.get("options", ())
        if entry["type"] != "bind" or not source.startswith("/") or source.startswith(f"{lender.directory}/"):
            continue
        is_read_only = read_only or not {"ro", "rro"}.isdisjoint(options)
        name = os.path.basename(os.path.dirname(source))
        if source == f"{home.volumes}/{name}/{DATA}":
            yield VolumeMount(target, name, is_read_only, no_copy=True)
        else:
            yield BindMount(target, source, is_read_only)
