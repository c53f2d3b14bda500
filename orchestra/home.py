"""Where everything lives on disk. Pure path arithmetic: nothing here touches the file system.

Two roots: *data* survives a reboot (images, snapshots, volumes, logs, what was asked for), *run* may vanish at one
(sockets, locks, bundles, pinned namespaces). ``ORCHESTRA_HOME`` moves both, as ``$ORCHESTRA_HOME/data`` and ``/run``.
"""

from __future__ import annotations

import os

from orchestra.named_tuple import NamedTuple
from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


OWNER = "_ORCHESTRA_USER"
"""The variable of processes that are root only in the user namespace of a home: the user whose home that is."""


class StackHome(Record):
    """The files of one stack. All attributes are absolute paths."""

    name: str
    data: str
    run: str

    @property
    def desired(self) -> str:
        """What the stack should be, as the last command asked for it."""
        return f"{self.data}/desired.json"

    @property
    def following(self) -> str:
        """That the files of the stack are followed, with the environment of that `up`, and the last edit."""
        return f"{self.data}/following.json"

    @property
    def revisions(self) -> str:
        """What the stack was asked to be before, for `history` and `rollback`."""
        return f"{self.data}/revisions"

    @property
    def revision_index(self) -> str:
        """The revisions, with the user and the time of each."""
        return f"{self.data}/revisions/index.json"

    def revision(self, number: int) -> str:
        """The content that `desired.json` had when that revision was asked for."""
        return f"{self.data}/revisions/{number}.json"

    @property
    def logs(self) -> str:
        """The containers' output: `CONTAINER.log`, then rotated files."""
        return f"{self.data}/logs"

    @property
    def kept(self) -> str:
        """What makes each container whole again after a reboot: `CONTAINER.json`."""
        return f"{self.data}/containers"

    @property
    def events(self) -> str:
        """What has happened, for `events --since`: one JSON object per line."""
        return f"{self.data}/events.jsonl"

    @property
    def earlier_events(self) -> str:
        """What happened before the first line of `events.jsonl`, which became this when it was full."""
        return f"{self.data}/events.jsonl.1"

    @property
    def counts(self) -> str:
        """What the events counted for `metrics` that are not kept any more."""
        return f"{self.data}/counts.json"

    @property
    def supervisor_log(self) -> str:
        """Messages of the supervisor and the fork server: their standard error."""
        return f"{self.data}/supervisor.log"

    @property
    def lock(self) -> str:
        """Locked (flock(2)) by the supervisor for as long as it lives; never deleted while the stack exists."""
        return f"{self.run}/lock"

    @property
    def launch_lock(self) -> str:
        """Locked while a command starts the fork server."""
        return f"{self.run}/launch.lock"

    @property
    def fork_lock(self) -> str:
        """Locked for as long as a fork server lives."""
        return f"{self.run}/fork.lock"

    @property
    def control_socket(self) -> str:
        """Where commands reach the supervisor. The fork server keeps it open, so it outlives the supervisor."""
        return f"{self.run}/control.sock"

    @property
    def fork_socket(self) -> str:
        """Where the fork server is asked for processes."""
        return f"{self.run}/fork.sock"

    @property
    def names_socket(self) -> str:
        """Where the supervisor reaches the resolver, which outlives it."""
        return f"{self.run}/names.sock"

    @property
    def api_sockets(self) -> str:
        """Docker's Engine API for containers with `use_api_socket`: `ACCESS.sock`, for each access that they have."""
        return f"{self.run}/api"

    def api_socket(self, access: str) -> str:
        """One of them."""
        return f"{self.run}/api/{access}.sock"

    @property
    def followers(self) -> str:
        """Sockets of the processes that follow logs; `orchestra.shim.followers` has the protocol."""
        return f"{self.run}/followers"

    @property
    def callers(self) -> str:
        """Sockets of commands that wait to be attached to the container that they had made."""
        return f"{self.run}/callers"

    @property
    def containers(self) -> str:
        """One directory for each container: see below."""
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
        """One directory for each stack that runs: see below."""
        return f"{self.run}/stacks"

    @property
    def stacks_data(self) -> str:
        """One directory for each stack, with what survives a reboot: see below."""
        return f"{self.data}/stacks"

    @property
    def content(self) -> str:
        """Images: an OCI image layout, with blobs by digest and `index.json`."""
        return f"{self.data}/content"

    @property
    def snapshots(self) -> str:
        """The layers of images, unpacked, and the writable layers of containers."""
        return f"{self.data}/snapshots"

    @property
    def volumes(self) -> str:
        """Volumes: the files in `NAME/_data`, labels and options in `NAME/volume.json`."""
        return f"{self.data}/volumes"

    @property
    def loads(self) -> str:
        """Remembered loads of Compose files. May be deleted at any time."""
        return f"{self.data}/loads"

    @property
    def filters(self) -> str:
        """Compiled filters of system calls. May be deleted at any time."""
        return f"{self.data}/filters"

    @property
    def ports(self) -> str:
        """Host ports that stacks took with `--ports auto`, one file for each stack. May be deleted at any time."""
        return f"{self.data}/ports"

    @property
    def builds(self) -> str:
        """What builds remember: steps by their keys, caches of commands, and downloads."""
        return f"{self.data}/builds"

    @property
    def sources(self) -> str:
        """Copies of Compose files from registries and Git repositories, and which of them were accepted."""
        return f"{self.data}/sources"

    @property
    def network_namespaces(self) -> str:
        """The containers' network namespaces, mounted so that they outlive any process."""
        return f"{self.run}/netns"

    @property
    def networks(self) -> str:
        """Address leases, and the names and ports that each stack publishes."""
        return f"{self.run}/networks"

    @property
    def names(self) -> str:
        """The names that each stack publishes: `NETWORK/STACK.json`."""
        return f"{self.run}/networks/names"

    @property
    def engine_socket(self) -> str:
        """Docker's Engine API, while `api` serves it here."""
        return f"{self.run}/docker.sock"

    @property
    def rootless(self) -> str:
        """Without root: what commands find the namespaces of this home by, see `orchestra.rootless`."""
        return f"{self.run}/rootless"


def is_rootless(environment: Mapping[str, str]) -> bool:
    """Whether this process is root only in the user namespace of a home."""
    return OWNER in environment


def find_home(environment: Mapping[str, str], uid: int) -> Home:
    """The home for this user: ORCHESTRA_HOME, else the system's for root, else the XDG directories.

    ``data`` begins with ``~`` for a user without a home directory.
    """
    uid = int(environment.get(OWNER, uid))
    root = environment.get("ORCHESTRA_HOME")
    if root:
        root = os.path.abspath(root)
        return Home(f"{root}/data", f"{root}/run")
    if uid == 0:
        return Home("/var/lib/orchestra", "/run/orchestra")
    data = environment.get("XDG_DATA_HOME") or os.path.expanduser(f"{environment.get('HOME') or '~'}/.local/share")
    run = environment.get("XDG_RUNTIME_DIR")
    return Home(f"{data}/orchestra", f"{run}/orchestra" if run else f"/tmp/orchestra-{uid}")
