"""Which ids of the host the user namespace of a home has: the user's own as root, and behind it those of subuid(5)."""

from __future__ import annotations

import functools

from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Map = list[Mapping[str, int]]

SUBORDINATE_USERS, SUBORDINATE_GROUPS = "/etc/subuid", "/etc/subgid"
FEW = 65536
"""Ids of one namespace that images take for granted, up to 65534 and 65535."""


class Ids(NamedTuple):
    """The maps of users and groups, in the OCI spec's words."""

    users: Map
    groups: Map

    @property
    def are_alone(self) -> bool:
        """Whether containers have no user but root."""
        return len(self.users) == 1 or len(self.groups) == 1

    def only_own(self) -> Ids:
        return Ids(self.users[:1], self.groups[:1])


def find_ids(uid: int, gid: int, name: str) -> Ids:
    """The ids of the user with this name; without any in the files that is the user's own alone."""
    maps = [
        _map(own, _ranges(load(path), uid, name)) for own, path in ((uid, SUBORDINATE_USERS), (gid, SUBORDINATE_GROUPS))
    ]
    found = Ids(maps[0], maps[1])
    return found.only_own() if found.are_alone else found


def mapped(kind: str, number: int) -> int:
    """The id itself if this process's user namespace has it, else root's. kind: ``uid`` or ``gid``.

    Files of other users cannot be made: chown(2) calls such an id invalid.
    """
    return number if any(0 <= number - first < count for first, count in _known(kind)) else 0


def is_root_alone() -> bool:
    """Whether the user namespace of this process has no ids but root's."""
    return count_of("uid") == 1


def count_of(kind: str) -> int:
    """How many ids the user namespace of this process has, which are numbered from 0. kind: ``uid`` or ``gid``."""
    return sum(count for _, count in _known(kind))


def user_outside(kind: str) -> int:
    """What the machine calls root of the user namespace of this process: the user whose home it is."""
    rows = (tuple(map(int, line.split())) for line in load(f"/proc/self/{kind}_map").splitlines())
    return next((outside for inside, outside, _ in rows if inside == 0), 0)


@functools.cache
def _known(kind: str) -> list[tuple[int, int]]:
    rows = (tuple(map(int, line.split())) for line in load(f"/proc/self/{kind}_map").splitlines())
    return [(first, count) for first, _, count in rows]


def load(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _ranges(text: str, uid: int, name: str) -> Iterator[tuple[int, int]]:
    """First id and count of each range of the user, who stands there by name or by number."""
    for line in text.splitlines():
        owner, _, rest = line.strip().partition(":")
        first, _, count = rest.partition(":")
        if owner in (name, str(uid)) and first.isdecimal() and count.isdecimal() and int(count):
            yield int(first), int(count)


def _map(own: int, ranges: Iterator[tuple[int, int]]) -> Map:
    """A range that overlaps an earlier one is left out, since the kernel refuses such a map."""
    rows: Map = [{"containerID": 0, "hostID": own, "size": 1}]
    following = 1
    for first, count in ranges:
        if any(first < row["hostID"] + row["size"] and row["hostID"] < first + count for row in rows):
            continue
        rows.append({"containerID": following, "hostID": first, "size": count})
        following += count
    return rows
