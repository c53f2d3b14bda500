"""The steps of a build, a closed union. Each makes a file tree: from nothing, from elsewhere or from earlier steps.

Steps refer to each other by their numbers in a ``Graph``, always to lower ones. What only shows (its words and its
place in the Dockerfile) stands beside a step and not in it, so that equal steps are equal values.

The words are the Dockerfile reference's: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeGuard


class Scratch(Record):
    """An empty file tree (``FROM scratch``)."""


class BaseImage(Record):
    """The file tree of an image. reference: as the Dockerfile names it. platform: as ``linux/arm64``."""

    reference: str
    platform: str


class ContextFiles(Record):
    """Files that are given to the build: those of the context, or of a named context that is a directory.

    name: empty for the main context.
    """

    name: str = ""


class Download(Record):
    """One file from a URL. checksum: as ``sha256:…``, or empty. file_name: what it is called in the tree."""

    url: str
    file_name: str
    checksum: str = ""


class GitTree(Record):
    """The files of a Git repository. reference: branch, tag or commit; empty for the default branch.

    checksum: the commit it has to be, or its beginning. keep_git_directory: whether ``.git`` is among the files.
    """

    url: str
    reference: str = ""
    subdirectory: str = ""
    checksum: str = ""
    keep_git_directory: bool = False


class InlineFiles(Record):
    """Files whose content stands in the Dockerfile (here-documents): names and contents. mode: of each of them."""

    files: tuple[tuple[str, bytes], ...]
    mode: int = 0o644


class Copy(Record):
    """The tree ``base`` with files of the tree ``source`` in it.

    paths: patterns below the source's root, relative to it, with ``*``, ``?``, ``[…]`` and ``\\`` before a character
    that is none of these; ``.`` for all of it. destination: absolute; a directory if it
    ends in ``/``. owner: ``user[:group]`` by name or number; None for 0:0. mode: octal or symbolic; None to keep it.
    exclude: patterns as in .dockerignore. parents: keep the directories of the paths, from ``/./`` on.
    unpack: local archives become their contents. link: made without looking at the base (no symbolic link of it
    is followed), so that it stays in the cache when the base changes.
    """

    base: int
    source: int
    paths: tuple[str, ...]
    destination: str
    owner: str | None = None
    mode: str | None = None
    exclude: tuple[str, ...] = ()
    parents: bool = False
    unpack: bool = False
    link: bool = False


class MakeDirectory(Record):
    """The tree ``base`` with a directory, and those above it (WORKDIR).

    owner: ``user[:group]`` of those that are made, by name or number; None for 0:0.
    """

    base: int
    path: str
    owner: str | None = None


class Sharing(StrEnum):
    """How builds that run at the same time use one cache. SHARED: together. PRIVATE: another gets a new one."""

    SHARED = "shared"
    PRIVATE = "private"
    LOCKED = "locked"


class BindMount(Record):
    """``path`` of the tree ``source`` at ``target``. What is written to it, where that is allowed, is thrown away."""

    target: str
    source: int
    path: str = "/"
    writable: bool = False


class CacheMount(Record):
    """A directory that lives on between builds. source: the tree whose ``path`` it begins with; None for an empty one.

    mode, uid, gid: of the directory when it is made.
    """

    target: str
    identifier: str
    sharing: Sharing = Sharing.SHARED
    source: int | None = None
    path: str = "/"
    read_only: bool = False
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


class TmpfsMount(Record):
    """size: in bytes; None for the kernel's default."""

    target: str
    size: int | None = None


class SecretMount(Record):
    """A secret as a file, as a variable, or as both. target, variable: None for not there.

    required: whether the build fails without it.
    """

    identifier: str
    target: str | None
    variable: str | None = None
    required: bool = False
    mode: int = 0o400
    uid: int = 0
    gid: int = 0


class SshMount(Record):
    """A socket of an SSH agent; SSH_AUTH_SOCK names its path."""

    identifier: str
    target: str
    required: bool = False
    mode: int = 0o600
    uid: int = 0
    gid: int = 0


Mount = BindMount | CacheMount | TmpfsMount | SecretMount | SshMount


class Network(StrEnum):
    """What a command sees of the network. DEFAULT: what the build says; without a word, a network of its own."""

    DEFAULT = "default"
    NONE = "none"
    HOST = "host"


class DeviceRequest(Record):
    """A device of the Container Device Interface. name: as ``vendor.com/class=name``. required: or the build fails."""

    name: str
    required: bool = False


class Run(Record):
    """The tree ``base`` after a command has run in it.

    arguments: as for execve(2). environment: all of it, in order. user: ``user[:group]``; empty for root.
    input: given to the command on its standard input; None for nothing.
    insecure: with every capability and no confinement (``--security=insecure``).
    proxies: variables that name proxies. The command gets them, but they do not count for what it makes: they are not
    part of the step's key, of the history or of the image. devices: what of the machine it may use.
    """

    base: int
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    directory: str = "/"
    user: str = ""
    mounts: tuple[Mount, ...] = ()
    network: Network = Network.DEFAULT
    insecure: bool = False
    input: bytes | None = None
    proxies: tuple[tuple[str, str], ...] = ()
    devices: tuple[DeviceRequest, ...] = ()


Step = Scratch | BaseImage | ContextFiles | Download | GitTree | InlineFiles | Copy | MakeDirectory | Run


def is_made(step: Step) -> TypeGuard[Copy | MakeDirectory | Run]:
    """Whether a builder carries the step out, and remembers the tree that it makes."""
    return isinstance(step, Copy | MakeDirectory | Run)


class Label(Record):
    """What is shown of a step. stage: its stage's name, ``stage-0`` for one without, or empty if there is only one.

    position, count: as in ``[stage 2/5]``.

    text: the instruction of the Dockerfile, with values for its variables. line, end_line: counted from 1.
    """

    stage: str
    position: int
    count: int
    text: str
    line: int
    end_line: int


class History(Record):
    """One entry of an image's history. step: the number of the step that made its layer; None for an empty layer."""

    created_by: str
    step: int | None = None
    comment: str = ""


class Result(Record):
    """What one target becomes: the tree of step ``tree`` with a configuration.

    config: of the OCI image specification's ``config``, keys as there (Env, Cmd, Entrypoint, Labels, …).
    base: the number of the step its stage began from, whose layers and history come before.
    """

    tree: int
    base: int
    config: Mapping[str, object]
    history: tuple[History, ...]
    platform: str
    author: str = ""


class Graph(Record):
    """A build: steps that refer to steps before them, a label for each that has one, and what comes out.

    Only what the result needs is in it. uncached: steps that are to be carried out even if their result is known
    (``--no-cache`` and ``--no-cache-filter``). scanned: names and trees of further stages whose packages the bill of
    materials is to say.
    """

    steps: tuple[Step, ...]
    labels: Mapping[int, Label]
    result: Result
    uncached: frozenset[int] = frozenset()
    scanned: tuple[tuple[str, int], ...] = ()

    @property
    def wanted(self) -> list[int]:
        """The steps whose trees have to be there in the end."""
        return [self.result.tree, *(tree for _, tree in self.scanned)]
