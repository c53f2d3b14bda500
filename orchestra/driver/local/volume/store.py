"""The volumes of a home: made completely or not at all, and removed only by their owner."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Mapping  # noqa: TC003 - read at run time by the codec
from typing import TYPE_CHECKING

from orchestra.container.directory import ContainerDirectory, DamagedFile
from orchestra.driver.local.image.failure import HINTS, TEMPORARY
from orchestra.driver.local.image.removal import remove_tree
from orchestra.driver.local.look import RECORD as CONTAINER
from orchestra.driver.local.volume.options import parse_driver_options
from orchestra.errors import FatalError, StillInUse, TemporaryError
from orchestra.linux import private_files
from orchestra.linux.directory_lock import locked
from orchestra.linux.durability import sync_directory
from orchestra.linux.mounts.mountinfo import load_mounts
from orchestra.model.codec import decode, encode
from orchestra.model.names import VolumeName
from orchestra.model.observed import Volume
from orchestra.record import Record, replace
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from orchestra.home import Home
    from orchestra.model.desired import VolumeSpec

RECORD = "volume.json"
DATA = "_data"
BEGUN = ".new"
REMOVED = ".removed-"
OWN_HINTS = {
    errno.EPERM: "volumes need root; or a file there is immutable",
    errno.EACCES: "volumes need root",
}
# Docker's pattern. It begins with no dot, and one letter is too short for Docker.
NAME = regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}")


class VolumeRecord(Record):
    """stack: the owner. container, target: for an anonymous volume, the name of the container it was made for, and
    where it is mounted. The volume's name is that of its directory, whatever the file says.
    """

    name: str
    stack: str
    created_at: float
    config_hash: str = ""
    container: str = ""
    target: str = ""
    labels: Mapping[str, str] = {}
    driver_options: Mapping[str, str] = {}


def volume_path(home: Home, name: str) -> str:
    return f"{home.volumes}/{check_name(name)}"


def check_name(name: str) -> str:
    """The name, which becomes a directory's. Raises FatalError."""
    if not NAME.fullmatch(name):
        hint = "use at least two letters, digits, _ . or -, beginning with a letter or digit"
        raise FatalError(f"{name!r} is not a valid volume name", hint=hint)
    return name


def load_record(home: Home, name: str) -> VolumeRecord | None:
    """None if there is no such volume."""
    path = f"{volume_path(home, name)}/{RECORD}"
    try:
        with open(path, encoding="utf-8") as file:
            return replace(decode(VolumeRecord, json.load(file)), name=name)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise FatalError(f"volume {name}: {path} is damaged: {error}", hint="repair or remove that file") from error


def create_volume(home: Home, stack: str, spec: VolumeSpec) -> None:
    """Make the volume unless it exists; never touches the data of an existing one."""
    existing = load_record(home, spec.name)
    if existing is not None:
        if existing.stack != stack:
            hint = "set `external: true` to use it anyway, or choose another name"
            owner = f"belongs to stack {existing.stack}" if existing.stack else "exists, and no stack has made it"
            raise FatalError(f"volume {spec.name} {owner}", hint=hint)
        return
    check_driver(spec.name, spec.driver)
    parse_driver_options(spec.name, spec.driver_options)
    record = VolumeRecord(
        name=spec.name,
        stack=stack,
        created_at=time.time(),
        config_hash=spec.config_hash,
        labels=spec.labels,
        driver_options=spec.driver_options,
    )
    with disk_errors(f"volume {spec.name}"):
        make_volume(home, record)


def check_driver(name: str, driver: str) -> None:
    """Raises FatalError."""
    if driver != "local":
        hint = "use the local driver: with the options type, device and o it mounts anything the kernel supports"
        raise FatalError(f"volume {name}: unknown volume driver {driver}", hint=hint)


def observe_volumes(
    home: Home, stack: str, external: Iterable[str] = (), mounted: Collection[str] = ()
) -> tuple[Volume, ...]:
    """The stack's own volumes, and those of ``external`` that exist; sorted by name.

    mounted: by containers of the stack; anonymous volumes among them belong to those containers.
    """
    found = {
        record.name: Volume(VolumeName(record.name), record.config_hash)
        for record in load_records(home)
        if record.stack == stack and not (record.container and record.name in mounted)
    }
    for name in external:
        if NAME.fullmatch(name) and (record := load_record(home, name)) is not None:
            found[name] = Volume(VolumeName(name), record.config_hash, external=True)
    return tuple(found[name] for name in sorted(found))


def named_volumes(home: Home, stack: str) -> list[VolumeRecord]:
    """The volumes that the stack has made for names in its file, sorted by name."""
    found = (record for record in load_records(home) if record.stack == stack and not record.container)
    return sorted(found, key=lambda record: record.name)


def volume_data(home: Home, name: str) -> str:
    """The directory of a volume's data, unless its options name another place. Raises FatalError."""
    return f"{volume_path(home, name)}/{DATA}"


def remove_volume(home: Home, stack: str, name: str) -> None:
    """Delete the volume with its data, if it is the stack's own and no container has it mounted."""
    record = load_record(home, name)
    if record is not None:
        if record.stack != stack:
            hint = "remove it together with the stack that created it"
            raise FatalError(f"volume {name} belongs to stack {record.stack}", hint=hint)
        with locked(home.data):
            if users := users_of(home, name):
                raise StillInUse(
                    f"volume {name} is still in use by {', '.join(users)}", hint="remove that container first"
                )
            forget_volume(home, name)
        _sweep(home)
    else:
        _sweep(home)


def delete_volumes(home: Home, names: Iterable[str]) -> None:
    """Delete these volumes with their data, whatever their owner; skips those that are gone."""
    for name in names:
        forget_volume(home, name)
    _sweep(home)


def load_records(home: Home) -> Iterator[VolumeRecord]:
    """By name."""
    for name in _names_in(home.volumes):
        if NAME.fullmatch(name):
            # A damaged volume must not hide all others. Asking for it by name reports the damage.
            with contextlib.suppress(FatalError):
                if (record := load_record(home, name)) is not None:
                    yield record


def make_volume(home: Home, record: VolumeRecord) -> None:
    """Everything is on disk before the name appears. If the name exists by then, another caller has made the volume."""
    private_files.make_directories(home.volumes)
    with locked(home.volumes):
        begun = f"{home.volumes}/{BEGUN}"
        remove_tree(begun)  # left by a crash, and holding nothing yet
        private_files.make_directories(f"{begun}/{DATA}")
        os.chmod(f"{begun}/{DATA}", 0o755)  # every user of a container may enter it
        created = os.open(f"{begun}/{RECORD}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(created, "wb") as file:
            file.write(json.dumps(encode(record)).encode())
            file.flush()
            os.fsync(file.fileno())
        sync_directory(begun)
        try:
            os.rename(begun, volume_path(home, record.name))
        except OSError as error:
            remove_tree(begun)
            if load_record(home, record.name) is None:
                path = volume_path(home, record.name)
                hint = f"move {path} away: it is not a volume of this installation"
                raise FatalError(f"volume {record.name} cannot be created: {error.strerror}", hint=hint) from error
        sync_directory(home.volumes)


def forget_volume(home: Home, name: str) -> None:
    """It stops being a volume in one step; then the next ``delete_volumes`` deletes its data, also after a crash."""
    path = volume_path(home, name)
    for mount in load_mounts():
        if mount.point == path or mount.point.startswith(f"{path}/"):
            raise FatalError(f"volume {name}: something is mounted at {mount.point}", hint=f"umount {mount.point}")
    with disk_errors(f"volume {name}"), contextlib.suppress(FileNotFoundError):
        os.rename(path, f"{home.volumes}/{REMOVED}{os.urandom(8).hex()}")
        sync_directory(home.volumes)


def _sweep(home: Home) -> None:
    """Delete what has been removed. Waits for other callers that do the same."""
    for name in _names_in(home.volumes):
        path = f"{home.volumes}/{name}"
        if not name.startswith(REMOVED):
            continue
        with disk_errors(f"removed volume {path}"):
            if os.path.islink(path):
                os.unlink(path)
                continue
            with contextlib.suppress(FileNotFoundError), locked(path):
                remove_tree(path)


def users_of(home: Home, name: str) -> list[str]:
    """The containers of any stack that have it mounted, or will when they run.

    One that is just being made has its record before it looks for its volumes. To remove a volume, hold the lock of
    ``home.data`` from before this question; see ``mounts.resolve_mounts``.
    """
    path = volume_path(home, name)
    found = []
    for stack in _names_in(home.stacks_run):
        containers = home.stack(stack).containers
        found += [
            f"container {container} of stack {stack}"
            for container in _names_in(containers)
            if _mounts(ContainerDirectory(f"{containers}/{container}"), name, path)
        ]
    return found


def _mounts(files: ContainerDirectory, name: str, path: str) -> bool:
    """Whether a container mounts the volume; one whose files are damaged may."""
    try:
        record = files.load_if_there(CONTAINER) or {}
        config = files.load_if_there("config.json") or {}
    except DamagedFile:
        return True
    sources = [str(entry.get("source", "")) for entry in config.get("mounts") or ()]
    container = record.get("container")
    named = container.get("volumes", ()) if isinstance(container, dict) else ()
    return name in named or any(source.startswith(f"{path}/") for source in sources)


def _names_in(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []


@contextlib.contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn an OSError into the driver's error, which says what it concerned and the probable cause."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        kind = TemporaryError if number in TEMPORARY else FatalError
        raise kind(f"{what}: {error}", hint=(HINTS | OWN_HINTS).get(number, "")) from error
