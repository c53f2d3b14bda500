"""Finding and removing what dead stacks have left on this machine. Volumes, logs and images are no leftovers.

A stack lives as long as its fork server, its supervisor, one of its shims or one of its containers does: the next
command restores whatever has been killed. Living stacks and other homes are not touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestra.container.directory import ContainerDirectory, DamagedFile
from orchestra.driver.local.build.stack import BUILDS
from orchestra.driver.local.image.removal import remove_tree
from orchestra.driver.local.net import leftovers
from orchestra.driver.local.net.endpoint import detach
from orchestra.driver.local.net.leftovers import Leftover
from orchestra.driver.local.record import load_record
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.driver.local.strays import end_strays, group_roots, stack_group
from orchestra.home import find_home
from orchestra.linux import cgroup, process
from orchestra.linux.mounts import mount
from orchestra.linux.mounts.mountinfo import load_mounts
from orchestra.linux.process import Process
from orchestra.named_tuple import NamedTuple
from orchestra.shim import client
from orchestra.shim.client import Status
from orchestra.shim.launch import is_locked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.home import Home, StackHome


class Kind(StrEnum):
    """In the order in which they are removed: processes first, or they would make more."""

    PROCESS = "process"
    CGROUP = "cgroup"
    MOUNT = "mount"
    CONTAINER = "container"
    NETWORK = "network"
    NAMES = "names"
    SNAPSHOT = "snapshot"
    STACK = "stack"


class Item(NamedTuple):
    """One thing to remove. name: for display; stack: empty if unknown; data: what ``remove`` needs."""

    kind: Kind
    name: str
    stack: str
    data: object = None


def find(home: Home) -> list[Item]:
    """Everything that no living stack accounts for."""
    names = find_stacks(home)
    living = {name for name in names if is_living(home.stack(name))}
    found = [
        *_processes(home, living),
        *_cgroups(home, living),
        *_mounts(home, living),
        *_containers(home, names - living),
        *_networks(home),
        *_names(home, living),
        *_snapshots(home, living),
        # That of builds is only a lock, which is kept.
        *(Item(Kind.STACK, name, name) for name in sorted(names - living - {BUILDS})),
    ]
    return sorted(found, key=lambda item: list(Kind).index(item.kind))


def remove(home: Home, item: Item) -> None:
    """Remove it, unless its stack lives again. Does nothing if it is gone. Raises OSError or FatalError."""
    if item.stack and is_living(home.stack(item.stack)):
        return
    match item.kind, item.data:
        case Kind.PROCESS, Process() as found:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(found, signal.SIGKILL)
        case Kind.CGROUP, str(path):
            group = cgroup.at(path)
            group.kill()
            group.remove()
        case Kind.MOUNT, str(point):
            mount.unmount(point, mount.MNT_DETACH)
        case Kind.CONTAINER, str(directory):
            _remove_container(home, item.stack, directory)
        case Kind.NETWORK, Leftover() as left:
            leftovers.remove_leftover(home, left)
        case Kind.NAMES, str(path):
            with contextlib.suppress(OSError):  # others publish theirs there, or it is gone
                os.unlink(path)
                os.rmdir(os.path.dirname(path))
        case Kind.SNAPSHOT, str(name):
            Snapshotter(home).remove(item.stack, name)
        case Kind.STACK, _:
            _forget_stack(home.stack(item.stack))
        case _:
            raise ValueError(f"{item} cannot be removed")


def find_stacks(home: Home) -> set[str]:
    """Every name that a stack was started under, or has left something under."""
    names = {name for name in _list(home.stacks_data) if os.path.exists(home.stack(name).desired)}
    return names.union(_list(home.stacks_run))


def is_living(stack_home: StackHome) -> bool:
    """Whether anything of it runs, or is about to."""
    for name in ("launch.lock", "fork.lock", "lock"):
        if is_locked(f"{stack_home.run}/{name}"):
            return True
    for name in _list(stack_home.containers):
        directory = stack_home.container(name)
        if client.shim_alive(directory):
            return True
        if client.state(directory).status in (Status.CREATED, Status.RUNNING):
            return True
    return False


def _processes(home: Home, living: set[str]) -> Iterator[Item]:
    """Fork servers, shims and supervisors that have lost their stack's directory."""
    for word in _list("/proc"):
        if not word.isdecimal() or int(word) == os.getpid():
            continue
        try:
            found = process.identify(int(word))
            with open(f"/proc/{word}/cmdline", "rb") as file:
                arguments = file.read().decode(errors="replace").split("\0")
            stack = _stack_of_process(home, word, arguments)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if stack is not None and stack not in living:
            yield Item(Kind.PROCESS, f"{word} of stack {stack}", stack, found)


def _stack_of_process(home: Home, pid: str, arguments: list[str]) -> str | None:
    if len(arguments) > 4 and arguments[3].endswith("/orchestra/shim/__main__.py"):
        try:
            run = str(json.loads(arguments[4])["run"])
        except (ValueError, KeyError, TypeError):
            return None
        directory, stack = os.path.split(run)
        return stack if directory == home.stacks_run else None
    if len(arguments) > 4 and arguments[2].endswith("/orchestra/control/__main__.py"):
        with open(f"/proc/{pid}/environ", "rb") as file:
            pairs = (entry.partition("=") for entry in file.read().decode(errors="replace").split("\0"))
            environment = {name: value for name, _, value in pairs}
        if find_home(environment, os.stat(f"/proc/{pid}").st_uid) == home:
            return arguments[3]
    return None


def _cgroups(home: Home, living: set[str]) -> Iterator[Item]:
    above = os.path.dirname(stack_group(home, "any"))
    found: dict[str, str] = {}
    for root in group_roots():
        for stack in _directories(f"{root}{above}"):
            if stack not in living:
                found[f"{above}/{stack}"] = stack
                found.update((f"{above}/{stack}/{name}", stack) for name in _directories(f"{root}{above}/{stack}"))
    # The deeper first; with the last of them those above go too.
    for path, stack in sorted(found.items(), reverse=True):
        yield Item(Kind.CGROUP, path, stack, path)


def _mounts(home: Home, living: set[str]) -> Iterator[Item]:
    """Below directories of dead stacks, the deepest first. Pinned network namespaces belong to networks."""
    for entry in reversed(load_mounts()):
        for above in (home.stacks_run, f"{home.snapshots}/containers"):
            if entry.point.startswith(f"{above}/"):
                stack = entry.point[len(above) + 1 :].partition("/")[0]
                if stack not in living:
                    yield Item(Kind.MOUNT, entry.point, stack, entry.point)


def _containers(home: Home, dead: set[str]) -> Iterator[Item]:
    for stack in sorted(dead):
        for name in sorted(_list(home.stack(stack).containers)):
            yield Item(Kind.CONTAINER, name, stack, home.stack(stack).container(name))


def _networks(home: Home) -> Iterator[Item]:
    for left in leftovers.find_leftovers(home, lambda stack: is_living(home.stack(stack))):
        yield Item(Kind.NETWORK, f"{left.kind} {left.name}", left.stack, left)


def _names(home: Home, living: set[str]) -> Iterator[Item]:
    """The names that dead stacks have published on networks."""
    folders = home.names
    for network in sorted(_list(folders)):
        for file in sorted(_list(f"{folders}/{network}")):
            stack = file.removesuffix(".json")
            if stack not in living:
                yield Item(Kind.NAMES, f"of stack {stack} on {network}", stack, f"{folders}/{network}/{file}")


def _snapshots(home: Home, living: set[str]) -> Iterator[Item]:
    for left in Snapshotter(home).leftovers({}):
        if left.stack not in living:
            yield Item(Kind.SNAPSHOT, f"of {left.name}", left.stack, left.name)


def _remove_container(home: Home, stack: str, directory: str) -> None:
    if not os.path.isdir(directory):
        return
    try:
        record = load_record(directory)
    except DamagedFile:
        record = None
        end_strays(home, stack)
    if ContainerDirectory(directory).has("config.json"):
        client.delete(directory)
    if record is not None:
        detach(home, stack, record.container.id, directory)
    remove_tree(directory)


def _forget_stack(stack_home: StackHome) -> None:
    """Remove its directory of sockets and locks, and its desired state.

    Holds the locks, so that no command starts it.
    """
    with contextlib.ExitStack() as locks:
        for name in ("launch.lock", "fork.lock", "lock"):
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(f"{stack_home.run}/{name}", os.O_RDWR | os.O_CLOEXEC)
                locks.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(stack_home.desired)
        remove_tree(stack_home.kept)
        remove_tree(stack_home.run)


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _directories(path: str) -> list[str]:
    return [name for name in _list(path) if os.path.isdir(f"{path}/{name}")]
