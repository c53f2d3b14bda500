"""Owners of files in a container with users of its own: what the container calls them, and what this process does."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from orchestra.container.configuration import read_configuration
from orchestra.container.directory import ContainerDirectory
from orchestra.container.settings import load_settings
from orchestra.container.shown_layers import SHOWN
from orchestra.linux import file_identity
from orchestra.linux.user_namespace import to_host, to_inside
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterator

    from orchestra.container.configuration import Rows

UNMAPPED = 65534  # as the kernel shows them inside (user_namespaces(7))


class Owners(NamedTuple):
    users: Rows
    groups: Rows

    def show_inside(self, entry: tarfile.TarInfo) -> None:
        uid, gid = to_inside(self.users, entry.uid), to_inside(self.groups, entry.gid)
        entry.uid, entry.gid = UNMAPPED if uid is None else uid, UNMAPPED if gid is None else gid

    def outside(self, uid: int, gid: int) -> tuple[int, int]:
        """The container's root in place of an owner that it does not have."""
        user, group = to_host(self.users, uid), to_host(self.groups, gid)
        root = (to_host(self.users, 0) or 0, to_host(self.groups, 0) or 0)
        return root[0] if user is None else user, root[1] if group is None else group

    @contextlib.contextmanager
    def as_root(self) -> Iterator[None]:
        """Make files as the container's root: its file system may have no place for the owner that this process is."""
        with file_identity.of(*self.outside(0, 0)):
            yield


def owners_of(directory: str) -> Owners | None:
    """Of a container; None if it has the users of the stack. Raises FileNotFoundError or DamagedFile."""
    linux = read_configuration(ContainerDirectory(directory).load_config()).linux
    return Owners(linux.uid_mappings, linux.gid_mappings) if linux.uid_mappings else None


def owners_on_disk(directory: str) -> Owners | None:
    """Of what it wrote, as it lies in its writable layer."""
    layers = load_settings(ContainerDirectory(directory)).rootfs
    return None if any(SHOWN in layer["options"] for layer in layers) else owners_of(directory)
