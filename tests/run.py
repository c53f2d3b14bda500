"""One run of the tests: its directory, what it has on this machine, and how all of that is ended.

Everything of a run is recognised by its directory: homes, bundles and roots of containers are below it, the environment
of its processes names it, and the names of its control groups have its word or the hash of a home below it. So runs and
stacks of real use do not meet. Standard library only: ``tests.reaper`` runs this without an environment.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import re
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VARIABLE = "ORCHESTRA_TEST_RUN"
PREFIX = "orc-test-"
KEPT = 3
"""Directories of runs that failed or were cut off, the newest: their files may tell why."""
CONTENT = frozenset({"snapshots", "content", "volumes", "rootfs", "debian"})
"""Directories that hold files of containers, and no homes."""
OF_A_HOME = re.compile(r"/orchestra/([0-9a-f]{8})(?:/|$)")
OF_A_RUN = re.compile(r"/(?:orchestra[/-])test-(\w{8})-")
NAMING = (VARIABLE.encode(), b"ORCHESTRA_HOME")
PATIENCE = 20.0


def word() -> str:
    """A name for a control group or the like: unique, and known as this run's."""
    return f"test-{current().word}-{os.getpid()}-{os.urandom(4).hex()}"


def current() -> Run:
    return _known(os.environ[VARIABLE])


@functools.cache
def _known(base: str) -> Run:
    """The same each time: it remembers the homes that it has found, of which there are thousands in the end."""
    return Run(Path(base))


def begin() -> tuple[Run, int]:
    """A new run, and the descriptor of its lock: the run goes on while any process has that open."""
    place = os.environ.get(VARIABLE) or tempfile.gettempdir()
    new = Path(tempfile.mkdtemp(prefix="orc-new-", dir=place))
    lock = os.open(new / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    run = Run(new.rename(new.with_name(PREFIX + new.name.removeprefix("orc-new-"))))
    os.environ[VARIABLE] = str(run.base)
    return run, lock


def earlier(place: Path) -> list[Run]:
    """Runs of this user in that directory that are over, the newest first."""
    return [run for run in _runs(place) if run.is_over()]


def _runs(place: Path) -> list[Run]:
    """Of this user, the newest first."""
    found = []
    for base in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):
            found.append((base.stat().st_mtime, base.stat().st_uid, Run(base)))
    newest_first = sorted(found, key=lambda each: each[0], reverse=True)
    return [run for _time, owner, run in newest_first if owner == os.getuid()]


class Run:
    """``base``: the directory. It has the lock, and ``t``, in which pytest makes its temporary directories."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.word = base.name.removeprefix(PREFIX)
        self._hashes: frozenset[str] = frozenset()
        self._foreign: set[str] = set()

    @property
    def temporary(self) -> Path:
        return self.base / "t"

    def is_over(self) -> bool:
        """Neither its pytest nor its reaper is there."""
        try:
            fd = os.open(self.base / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(fd)
        return True

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """One at a time of the runs that lie side by side."""
        place = os.open(self.base.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(place, fcntl.LOCK_EX)
            yield
        finally:
            os.close(place)

    def note_made(self, paths: Iterable[str]) -> None:
        """Directories of the machine that were made for this run. Without a note it needs none."""
        with self._made.open("a") as file:
            file.writelines(f"{path}\n" for path in paths)

    def remove_made(self) -> None:
        """Remove the directories that were made for it, if empty. Another run that needs them takes them over: its
        mounts on them would go with them.
        """
        with self.turn():
            if not self._made.exists():
                return
            made = self._made.read_text().splitlines()
            self._made.unlink()
            heir = next((run for run in _runs(self.base.parent) if run._made.exists() and not run.is_over()), None)
            if heir is not None:
                heir.note_made(made)
                return
            for path in made:
                with contextlib.suppress(OSError):
                    os.rmdir(path)

    @property
    def _made(self) -> Path:
        return self.base / "made"

    @property
    def mark(self) -> Path:
        """Mounted in the run's own mount namespace and nowhere else. Numbers of namespaces are used again."""
        return self.base / "apart"

    def is_apart(self) -> bool:
        """Whether the calling process is in namespaces of the run's own."""
        return os.path.ismount(self.mark)

    def processes(self) -> Iterator[tuple[int, str]]:
        """Process ids and command lines, without the calling process. Zombies are their parents' concern."""
        for directory in Path("/proc").glob("[0-9]*"):
            pid = int(directory.name)
            with contextlib.suppress(OSError):
                if pid == os.getpid() or (directory / "stat").read_text().rpartition(") ")[2][0] in "ZX":
                    continue
                in_group = any(map(self.owns_group, (directory / "cgroup").read_text().splitlines()))
                if in_group or self._is_named_by(directory):
                    command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    yield pid, command.strip() or (directory / "comm").read_text().strip()

    def _is_named_by(self, directory: Path) -> bool:
        """By the mounts that a process sees, as the root of a container is below the base, or by its environment."""
        base = os.fsencode(self.base)
        if base in (directory / "mountinfo").read_bytes():
            return True
        variables = (directory / "environ").read_bytes().split(b"\0")
        return any(line.startswith(b"%s=%s" % (name, base)) for line in variables for name in NAMING)

    def owns_group(self, path: str) -> bool:
        if found := OF_A_RUN.search(path):
            return found[1] == self.word or (self.base / f"{PREFIX}{found[1]}").exists()  # that a test began
        if found := OF_A_HOME.search(path):
            if found[1] not in self._hashes and found[1] not in self._foreign:
                self._hashes |= {hash_of(here) for here in self._directories()}
                if found[1] not in self._hashes:
                    self._foreign.add(found[1])  # for good: a home is there before its groups
            return found[1] in self._hashes
        return False

    def _directories(self) -> Iterator[str]:
        """All that may be a home's."""
        for here, below, _files in os.walk(self.base):
            yield here
            below[:] = [name for name in below if name not in CONTENT]

    def groups(self) -> list[str]:
        """Directories of control groups, the deepest first."""
        return [path for path in reversed(all_groups()) if self.owns_group(path)]

    def clear(self) -> None:
        """End every process of this run and remove its control groups. With the processes its namespaces go."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            groups, processes = self.groups(), [pid for pid, _command in self.processes()]
            for group in groups:
                _thaw(group)
                with contextlib.suppress(OSError):
                    processes += map(int, Path(group, "cgroup.procs").read_text().split())
            for pid in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for group in groups:
                with contextlib.suppress(OSError):
                    os.rmdir(group)
            if not groups and not processes:
                break
            time.sleep(0.02)
        for tree in cgroup_trees():
            with contextlib.suppress(OSError):
                os.rmdir(f"{tree}/orchestra")  # fails while a stack of another home is in it
        self._note("cleared")

    def forget(self) -> None:
        """Remove its directory when it passed, and those of earlier runs that passed or are not among the newest."""
        if self._has_passed():
            self._remove()
        failed = [run for run in earlier(self.base.parent) if not (run._has_passed() and run._remove())]
        for run in failed[KEPT:]:
            run._remove()

    def _has_passed(self) -> bool:
        return (self.base / "passed").exists()

    def _remove(self) -> bool:
        """The lock last: what was removed in part is found again."""
        for path in [path for path in self.base.glob("*") if path.name not in ("passed", "lock")]:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() and not path.is_symlink() else path.unlink()
        shutil.rmtree(self.base, ignore_errors=True)
        return True

    def note_success(self) -> None:
        self._note("passed")

    def is_cleared(self) -> bool:
        return (self.base / "cleared").exists()

    def _note(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):  # its directory was removed from outside
            (self.base / name).touch()


def hash_of(directory: str) -> str:
    """As Orchestra names control groups, tables and interfaces of the home whose run directory this is."""
    return hashlib.sha256(os.fsencode(directory)).hexdigest()[:8]


def cgroup_trees() -> list[str]:
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [fields[4] for fields in lines if fields[fields.index("-") + 1] in ("cgroup", "cgroup2")]


def all_groups() -> list[str]:
    """Directories of all control groups of Orchestra on this machine, whoever has them; parents first."""
    found = []
    for tree in cgroup_trees():
        for here, below, _files in os.walk(tree):
            if here == tree:
                below[:] = [name for name in below if name.startswith("orchestra")]
            else:
                found.append(here)
    return found


def _thaw(group: str) -> None:
    """What is frozen in version 1 does not die."""
    with contextlib.suppress(OSError):
        Path(group, "freezer.state").write_text("THAWED")
