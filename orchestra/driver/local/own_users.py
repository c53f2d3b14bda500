"""The users of a container with a user namespace of its own (``userns_mode``): which ids of the stack's they are.

With root, the ids of ``auto`` are some that systems give to no user; without root they are the home's own. A range is
recorded with its container, which is how others know that it is taken.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, assert_never

from orchestra.driver.local.bundle.mounts import ETC_FILES
from orchestra.driver.local.copying.owners import Owners
from orchestra.driver.local.kept import kept_names, load_kept
from orchestra.driver.local.record import Range, load_record, sound
from orchestra.driver.local.volume.files import FILES
from orchestra.errors import FatalError
from orchestra.home import is_rootless
from orchestra.model.mount import BindMount, VolumeMount
from orchestra.model.user_namespace import Auto, KeepId, OfStack
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from orchestra.driver.local.user import User
    from orchestra.home import Home
    from orchestra.model.container import ContainerSpec

    Map = list[Mapping[str, int]]

EVERY_ID = (1 << 32) - 1
UNUSED = Range(0x70000000, 0x10000000)
"""No distribution gives these to anything (systemd's "Users, Groups, UIDs and GIDs"). The kernel lets groups up to
2147483647 ping (icmp(7), ping_group_range)."""
LEAST = 1024
"""Ids of ``auto`` for an image with few users, as in podman."""
UNNAMED = 65534
"""The id of files whose owner is not mapped (user_namespaces(7)). Images call it ``nobody``: no user of theirs."""


class OwnUsers(NamedTuple):
    """The maps of users and groups, from ids of the container to those of the stack, in the OCI spec's words.

    are_shifted: whether some id of the container is another one of the stack. shown: whether the kernel can show files
    with these owners, by ID-mapped mounts, for which this process must be root of the machine.
    """

    users: Map
    groups: Map
    are_shifted: bool
    shown: bool


def choose_range(wanted: int, supply: Range, taken: Collection[Range]) -> Range | None:
    """The lowest range of that size which overlaps none of ``taken``; None if there is none. Pure."""
    first = supply.first
    for other in sorted(taken, key=lambda each: each.first):
        if first < other.first + other.size and other.first < first + wanted:
            first = other.first + other.size
    return Range(first, wanted) if first + wanted <= supply.first + supply.size else None


def ids_needed(user: User, passwd: str, group: str) -> int:
    """How many ids, from 0 on, the image and the container's user take. Pure."""
    fields = [line.split(":") for text in (passwd, group) for line in text.splitlines()]
    numbers = [int(number) for words in fields for number in words[2:3] if number.isascii() and number.isdecimal()]
    return max(LEAST, 1 + max([user.uid, user.gid, *user.groups, *(each for each in numbers if each < UNNAMED)]))


def keep_map(own: int, count: int) -> Map:
    """A map in which the stack's root has the id ``own``; the other ids of the stack follow in their order. Pure."""
    below = min(own, count - 1)
    rows = ((0, 1, below), (own, 0, 1), (own + 1, own + 1, count - 1 - below))
    return [{"containerID": inside, "hostID": outside, "size": size} for inside, outside, size in rows if size > 0]


def find_users(spec: ContainerSpec, range_: Range) -> OwnUsers | None:
    """None for the users of the stack. range_: claimed for it. Raises FatalError."""
    rootless = is_rootless(os.environ)
    match spec.user_namespace:
        case OfStack():
            return None
        case KeepId() as wanted if rootless:
            from orchestra.rootless.ids import count_of

            uid, gid = _kept_ids(wanted)
            return OwnUsers(keep_map(uid, count_of("uid")), keep_map(gid, count_of("gid")), True, False)
        case KeepId():
            whole: Map = [{"containerID": 0, "hostID": 0, "size": EVERY_ID}]
            return OwnUsers(whole, whole, False, True)
        case Auto():
            rows: Map = [{"containerID": 0, "hostID": range_.first, "size": range_.size}]
            return OwnUsers(rows, rows, True, not rootless)
        case unreachable:
            assert_never(unreachable)


def default_user(spec: ContainerSpec) -> str:
    """The user of a container if neither it nor its image has one: the user that is kept is the one that is wanted."""
    if not isinstance(spec.user_namespace, KeepId) or not is_rootless(os.environ):
        return ""
    return "{}:{}".format(*_kept_ids(spec.user_namespace))


def _kept_ids(wanted: KeepId) -> tuple[int, int]:
    """The user and the group that the stack's root is in the container, without root."""
    from orchestra.rootless.ids import user_outside

    uid, gid = wanted.uid, wanted.gid
    return user_outside("uid") if uid is None else uid, user_outside("gid") if gid is None else gid


def check_users(spec: ContainerSpec) -> None:
    """Refuse what the kernel cannot do for this user. Raises FatalError."""
    what = f"service {spec.service}: userns_mode"
    wanted = spec.user_namespace
    if isinstance(wanted, OfStack):
        return
    if not is_rootless(os.environ):
        if isinstance(wanted, KeepId) and (wanted.uid or wanted.gid):
            hint = "write keep-id, or auto for users of its own; without root it can have another id"
            raise FatalError(f"{what}: with root, the user to keep is root, whose id is 0", hint=hint)
        return
    from orchestra.rootless.ids import is_root_alone

    if is_root_alone():
        hint = "orchestra doctor says how to get subordinate ids"
        raise FatalError(f"{what}: this user has no subordinate ids, so a container has no user but one", hint=hint)
    if isinstance(wanted, Auto):
        for mount in spec.mounts:
            if isinstance(mount, BindMount | VolumeMount) and not mount.read_only:
                message = f"{what} auto: no user of the container owns {mount.target}: without root, the kernel shows"
                hint = "write keep-id, or mount it read-only"
                raise FatalError(f"{message} no other owners of a mount (mount_setattr(2))", hint=hint)


def give_files(directory: str, users: OwnUsers) -> None:
    """Give the files in the container's directory that are bound into it to its users: no mount shows them so."""
    owners = Owners(users.users, users.groups)
    files = f"{directory}/{FILES}"
    paths = [f"{directory}/{name}" for name in ETC_FILES.values()] + [f"{files}/{name}" for name in _list(files)]
    for path in paths:
        status = os.stat(path)
        os.chown(path, *owners.outside(status.st_uid, status.st_gid))
        os.chmod(path, stat.S_IMODE(status.st_mode))  # changing the owner takes set-id bits away


def choose_ids(home: Home, spec: ContainerSpec, wanted: int) -> Range:
    """Ids that no other container has, until they are recorded only as long as the caller holds the lock of containers.

    Raises FatalError.
    """
    found = choose_range(wanted, _supply(), tuple(_taken(home)))
    if found is None:
        message = f"service {spec.service}: userns_mode auto: no {wanted} ids are left for it"
        raise FatalError(message, hint="write a smaller size, as in auto:size=1024, or remove other containers")
    return found


def _supply() -> Range:
    if not is_rootless(os.environ):
        return UNUSED
    from orchestra.rootless.ids import count_of

    return Range(1, min(count_of("uid"), count_of("gid")) - 1)


def _taken(home: Home) -> Iterator[Range]:
    """Of all containers of the home, and of those that come back after a reboot."""
    for stack in _list(home.stacks_run):
        for name in _list(home.stack(stack).containers):
            record = sound(load_record, home.stack(stack).container(name))
            if record is not None and record.ids.size:
                yield record.ids
    for stack in _list(home.stacks_data):
        for name in kept_names(home.stack(stack)):
            kept = load_kept(home.stack(stack), name)
            if kept is not None and kept.record.ids.size:
                yield kept.record.ids


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
