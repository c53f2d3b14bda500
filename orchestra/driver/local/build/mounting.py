"""What the mounts of a RUN mean on this machine, for as long as its command runs."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import os
from typing import TYPE_CHECKING, Any, assert_never

from orchestra.build.step import BindMount, CacheMount, SecretMount, Sharing, SshMount, TmpfsMount
from orchestra.driver.local.build.agents import lent_agent
from orchestra.driver.local.build.kept import note_use
from orchestra.driver.local.build.run_process import SECRETS
from orchestra.driver.local.build.upkeep import TEMPORARY
from orchestra.driver.local.build.waiting import take_lock
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.volume import ResolvedMount
from orchestra.errors import UserError
from orchestra.linux import private_files
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from orchestra.build.step import Mount
    from orchestra.driver.local.build.trees import Change
    from orchestra.home import Home

LARGEST_SECRET = 500 * 1024
"""As in Docker. All of them go to the process of the command in one message."""


class Mounted(Record):
    """mounts: for the bundle. trees, secrets, variables: for ``run_process``."""

    mounts: tuple[ResolvedMount, ...]
    trees: tuple[dict[str, Any], ...]
    secrets: tuple[dict[str, Any], ...]
    variables: tuple[str, ...]

    def order(self) -> dict[str, Any]:
        return {"trees": list(self.trees), "secrets": list(self.secrets), "variables": list(self.variables)}


class Sources(Record):
    """Where mounts get what they show.

    opened: a writable snapshot of the tree that a step made. fill: copies a directory of such a tree into an empty
    directory. secrets: contents by identifier. agents: sockets of SSH agents, by identifier. scope: part of the name of
    a cache that belongs to some builds only. wait: is told what the command waits for. ending: see ``take_lock``.
    """

    opened: Callable[[int], contextlib.AbstractContextManager[Change]]
    fill: Callable[[int, str, str], None]
    secrets: Mapping[str, bytes]
    agents: Mapping[str, str]
    wait: Callable[[str], None]
    ending: Sequence[int]


@contextlib.contextmanager
def mounted(home: Home, mounts: Iterable[Mount], sources: Sources) -> Iterator[Mounted]:
    """Raises UserError for a secret that is required and not there."""
    found = _Found(home, sources)
    with contextlib.ExitStack() as stack:
        for mount in mounts:
            match mount:
                case BindMount():
                    found.bind(mount, stack)
                case CacheMount():
                    found.cache(mount, stack)
                case TmpfsMount(target, size):
                    options = () if size is None else (f"size={size}",)
                    found.mounts.append(ResolvedMount(target, "tmpfs", "tmpfs", ("nosuid", "nodev", *options)))
                case SecretMount():
                    found.secret(mount)
                case SshMount():
                    found.agent(mount, stack)
                case _:
                    assert_never(mount)
        yield Mounted(tuple(found.mounts), tuple(found.trees), tuple(found.secrets), tuple(found.variables))


class _Found:
    def __init__(self, home: Home, sources: Sources) -> None:
        self._caches = f"{home.builds}/caches"
        self._sources = sources
        self.mounts: list[ResolvedMount] = []
        self.trees: list[dict[str, Any]] = []
        self.secrets: list[dict[str, Any]] = []
        self.variables: list[str] = []

    def bind(self, mount: BindMount, stack: contextlib.ExitStack) -> None:
        change = stack.enter_context(self._sources.opened(mount.source))
        point = f"tree-{len(self.trees)}"
        self.trees.append({"point": point, "mounts": list(change.mounts)})
        path = mount.path.strip("/")
        self.mounts.append(
            ResolvedMount(mount.target, "bind", point, ("bind",), read_only=not mount.writable, subpath=path)
        )

    def cache(self, mount: CacheMount, stack: contextlib.ExitStack) -> None:
        name = hashlib.sha256(mount.identifier.encode()).hexdigest()
        number = 0
        while True:
            directory = f"{self._caches}/{name}-{number}" if number else f"{self._caches}/{name}"
            with file_errors(f"cache {mount.identifier}"):
                if self._take(mount, directory, stack):
                    break
            number += 1
        self._ensure(mount, directory)
        stack.callback(note_use, directory, changed=True)
        options = ("bind", "nosuid", "nodev")
        self.mounts.append(ResolvedMount(mount.target, "bind", f"{directory}/data", options, read_only=mount.read_only))

    def _take(self, mount: CacheMount, directory: str, stack: contextlib.ExitStack) -> bool:
        """Whether the cache may be used now, and until the end. Waits for one that is to be used alone."""
        private_files.make_directories(directory)
        lock = os.open(f"{directory}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        stack.callback(os.close, lock)
        kind = fcntl.LOCK_SH if mount.sharing is Sharing.SHARED else fcntl.LOCK_EX
        if mount.sharing is Sharing.PRIVATE:
            try:
                fcntl.flock(lock, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        else:
            what = f"cache {mount.identifier}"
            take_lock(lock, kind, lambda: self._sources.wait(what), self._sources.ending)
        return True

    def _ensure(self, mount: CacheMount, directory: str) -> None:
        """Make its directory, once it is filled, by rename."""
        data = f"{directory}/data"
        if os.path.isdir(data):
            return
        with file_errors(f"cache {mount.identifier}"):
            made = f"{directory}/{os.urandom(8).hex()}"
            os.mkdir(made, 0o700)
            if mount.source is not None:
                self._sources.fill(mount.source, mount.path, made)
            os.chown(made, mount.uid, mount.gid)
            os.chmod(made, mount.mode)
            # If another one was faster, its directory is as good.
            try:
                os.rename(made, data)
            except OSError:
                if not os.path.isdir(data):
                    raise

    def secret(self, mount: SecretMount) -> None:
        content = self._sources.secrets.get(mount.identifier)
        if content is None:
            if mount.required:
                hint = f"give it with --secret id={mount.identifier},src=FILE, or declare it in the file"
                raise UserError(f"secret {mount.identifier} is required, and was not given", hint=hint)
            return
        if len(content) > LARGEST_SECRET:
            raise UserError(f"secret {mount.identifier} is longer than {LARGEST_SECRET >> 10} KiB")
        if mount.variable is not None:
            self.variables.append(f"{mount.variable}={content.decode(errors='surrogateescape')}")
        if mount.target is not None:
            name = f"{len(self.secrets)}"
            row = {"name": name, "content": base64.b64encode(content).decode()}
            self.secrets.append({**row, "mode": mount.mode, "uid": mount.uid, "gid": mount.gid})
            self.mounts.append(ResolvedMount(mount.target, "bind", f"{SECRETS}/{name}", ("bind",), read_only=True))

    def agent(self, mount: SshMount, stack: contextlib.ExitStack) -> None:
        path = self._sources.agents.get(mount.identifier)
        if path is None:
            if mount.required:
                raise UserError(f"SSH agent {mount.identifier} is required, and was not given", hint="use --ssh")
            return
        own = f"{os.path.dirname(self._caches)}/{TEMPORARY}{os.urandom(8).hex()}"
        stack.enter_context(lent_agent(path, own, mount.mode, (mount.uid, mount.gid)))
        self.mounts.append(ResolvedMount(mount.target, "bind", own, ("bind",)))
        self.variables.append(f"SSH_AUTH_SOCK={mount.target}")
