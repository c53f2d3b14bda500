"""Where everything lives on disk. Pure path arithmetic: nothing here touches the file system.

Two roots: *data* survives a reboot (images, snapshots, volumes, logs, what was asked for), *run* may vanish at one
(sockets, locks, bundles, pinned namespaces). ``ORCHESTRA_HOME`` moves both, as ``$ORCHESTRA_HOME/data`` and ``/run``.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class StackHome(Record):
    """The files of one stack. All attributes are absolute paths."""

    name: str
    data: str
    run: str

    @property
    def desired(self) -> str:
        """The last ``Desired`` asked for, as JSON."""
        return f"{self.data}/desired.json"

    @property
    def logs(self) -> str:
        return f"{self.data}/logs"

    @property
    def supervisor_log(self) -> str:
        """What the supervisor and the fork server have to say: their stderr."""
        return f"{self.data}/supervisor.log"

    @property
    def lock(self) -> str:
        """flock(2)ed by the supervisor for as long as it lives; never deleted while the stack exists."""
        return f"{self.run}/lock"

    @property
    def control_socket(self) -> str:
        """The supervisor's socket; the fork server holds it listening, so it outlives the supervisor."""
        return f"{self.run}/control.sock"

    @property
    def fork_socket(self) -> str:
        return f"{self.run}/fork.sock"

    @property
    def followers(self) -> str:
        """Sockets of the processes that follow logs, see ``orchestra.shim.followers``."""
        return f"{self.run}/followers"

    @property
    def containers(self) -> str:
        return f"{self.run}/containers"

    def container(self, name: str) -> str:
        """The directory of one container: its OCI bundle and everything the shim writes about it."""
        return f"{self.run}/containers/{name}"


class Home(NamedTuple):
    """The two roots. All attributes are absolute paths."""

    data: str
    run: str

    def stack(self, name: str) -> StackHome:
        return StackHome(name, f"{self.data}/stacks/{name}", f"{self.run}/stacks/{name}")

    @property
    def stacks_run(self) -> str:
        return f"{self.run}/stacks"

    @property
    def stacks_data(self) -> str:
        return f"{self.data}/stacks"

    @property
    def content(self) -> str:
        """An OCI image layout: blobs by digest and ``index.json``."""
        return f"{self.data}/content"

    @property
    def snapshots(self) -> str:
        return f"{self.data}/snapshots"

    @property
    def volumes(self) -> str:
        return f"{self.data}/volumes"

    @property
    def loads(self) -> str:
        """Remembered loads of Compose files; may be deleted at any time."""
        return f"{self.data}/loads"

    @property
    def network_namespaces(self) -> str:
        return f"{self.run}/netns"

    @property
    def networks(self) -> str:
        """Address leases and what each stack publishes on each network."""
        return f"{self.run}/networks"


def find_home(environment: Mapping[str, str], uid: int) -> Home:
    """The home for this user: ORCHESTRA_HOME, else the system's for root, else the XDG directories.

    ``data`` begins with ``~`` for a user without a home directory.
    """
    root = environment.get("ORCHESTRA_HOME")
    if root:
        root = os.path.abspath(root)
        return Home(f"{root}/data", f"{root}/run")
    if uid == 0:
        return Home("/var/lib/orchestra", "/run/orchestra")
    data = environment.get("XDG_DATA_HOME") or os.path.expanduser(f"{environment.get('HOME') or '~'}/.local/share")
    run = environment.get("XDG_RUNTIME_DIR")
    return Home(f"{data}/orchestra", f"{run}/orchestra" if run else f"/tmp/orchestra-{uid}")
