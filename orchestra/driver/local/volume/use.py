"""All volumes of a home, whichever stack made them, and which of them are not in use. Works without a supervisor."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from orchestra.driver.local.image.removal import tree_size
from orchestra.driver.local.volume.options import parse_driver_options
from orchestra.driver.local.volume.store import (
    VolumeRecord,
    check_driver,
    check_name,
    delete_volumes,
    disk_errors,
    forget_volume,
    load_record,
    make_volume,
    users_of,
    volume_data,
)
from orchestra.errors import FatalError, UserError
from orchestra.linux.directory_lock import locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from orchestra.home import Home

ANONYMOUS = "com.docker.volume.anonymous"
"""Docker's label for a volume without a given name."""


def is_anonymous(record: VolumeRecord) -> bool:
    return bool(record.container) or ANONYMOUS in record.labels


def make_standalone(
    home: Home, name: str | None, driver: str, labels: Mapping[str, str], options: Mapping[str, str]
) -> VolumeRecord:
    """Create a volume that belongs to no stack; an existing one is kept as it is. name: None for an anonymous one.

    Raises FatalError if it cannot be created, and UserError if one with other options exists.
    """
    if name is None:
        name, labels = os.urandom(32).hex(), {**labels, ANONYMOUS: ""}
    check_name(name)
    check_driver(name, driver)
    parse_driver_options(name, options)
    if load_record(home, name) is None:
        with disk_errors(f"volume {name}"):
            make_volume(home, VolumeRecord(name, "", time.time(), labels=labels, driver_options=options))
    made = load_record(home, name)
    if made is None:
        raise FatalError(f"volume {name} was removed meanwhile", hint="create it again")
    if options and dict(made.driver_options) != dict(options):
        raise UserError(f"volume {name} exists with other options", hint=f"orchestra volume inspect {name} shows them")
    return made


def find_reasons(home: Home, record: VolumeRecord) -> list[str]:
    """What uses a volume: containers of any stack, running or not, and those that a stack will have after a reboot."""
    found = users_of(home, record.name)
    return found or [f"stack {stack}, which is not down" for stack in _wanting(home, record)]


def remove_unused(home: Home, name: str) -> int | None:
    """Remove a volume with its data. Returns the bytes that this has freed, None if there is no such volume.

    Raises UserError if something uses it, FatalError if something is mounted in it.
    """
    if load_record(home, name) is None:
        return None
    with locked(home.data):
        record = load_record(home, name)
        if record is None:
            return None
        if reasons := find_reasons(home, record):
            raise UserError(
                f"volume {name} is in use by {', '.join(reasons)}", hint="remove what uses it first: orchestra down"
            )
        size = tree_size(volume_data(home, name))
        forget_volume(home, name)
    delete_volumes(home, ())
    return size


def _wanting(home: Home, record: VolumeRecord) -> Iterator[str]:
    """Stacks with a desired state in which containers use the volume."""
    try:
        stacks = sorted(os.listdir(home.stacks_data))
    except FileNotFoundError:
        return
    for stack in stacks:
        containers = _desired_containers(home.stack(stack).desired)
        if containers is None or any(_wants(container, record, stack) for container in containers):
            yield stack


def _desired_containers(path: str) -> list[dict[str, Any]] | None:
    """None if they cannot be read: then the stack may use any volume."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read()).get("containers", [])
    except FileNotFoundError:
        return []
    except (ValueError, AttributeError):
        return None
    return found if isinstance(found, list) and all(isinstance(each, dict) for each in found) else None


def _wants(container: Mapping[str, Any], record: VolumeRecord, stack: str) -> bool:
    if record.container and (record.stack, record.container) == (stack, container.get("name")):
        return True
    mounts = container.get("mounts") or ()
    return any(mount.get("kind") == "VolumeMount" and mount.get("name") == record.name for mount in mounts)
