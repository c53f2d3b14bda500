"""What containers' roots are made of, in containerd's vocabulary.

*commit* makes a layer: a read-only directory named by its chain id (OCI image-spec, "Layer ChainID"). *prepare* makes
the writable snapshot of one container over layers, *view* the same without writing; both return the mounts that make
the root, for ``shim.json``. Nothing is mounted here. *remove* takes a container's snapshot away.

On disk, below ``home.snapshots``, which only its owner may enter since layers hold set-user-id programs:

    layers/<hex>                    one layer in overlayfs form; <hex>.new while it is being filled
    l/<short>                       links to layers: mount(2) takes one page of options, so names must be short
    containers/<stack>/<name>/fs    what the container wrote, and work/ beside it for overlayfs; copied/ for layers
                                    with other owners. Where the kernel refuses overlays, fs is a copy of the layers
    locks/<xxx>                     flock(2)ed while a layer whose chain id begins with xxx is made; never deleted
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import stat
from typing import TYPE_CHECKING, NotRequired, TypedDict

from orchestra.container.shown_layers import SHOWN
from orchestra.driver.local.copying.owners import Owners
from orchestra.driver.local.host_tree import copy_names, covers_mounts
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.layers.lookup import opaque_attribute
from orchestra.driver.local.image.layers.merging import merge
from orchestra.driver.local.image.removal import remove_tree, tree_size
from orchestra.errors import FatalError
from orchestra.home import is_rootless
from orchestra.linux import private_files
from orchestra.linux.durability import sync_file_system
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from orchestra.driver.local.image.layers.lookup import Found
    from orchestra.driver.local.own_users import OwnUsers
    from orchestra.home import Home

PAGE = 4096
# Of the 26 letters and digits base32 leaves: a hundred layers of the system's home fit a page.
SHORT = 5
# What separates or escapes in overlayfs options; how each kernel unescapes it differs, so none is ever passed.
SPECIAL = frozenset(",:\\\n")


class LayerMount(TypedDict):
    """One mount of ``rootfs`` in shim.json. target: the directory of the root that it covers, if not all of it."""

    type: str
    source: str
    options: list[str]
    target: NotRequired[str]


class ContainerSnapshot(NamedTuple):
    stack: str
    name: str


class Snapshotter:
    """Snapshots of one home. Safe across threads and processes, except that one container has one caller at a time."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._root = home.snapshots
        self._containers = f"{self._root}/containers"
        self._layers = f"{self._root}/layers"
        self._links = f"{self._root}/l"
        self._locks = f"{self._root}/locks"

    def prepare(
        self,
        stack: str,
        name: str,
        layers: Sequence[str],
        *,
        again: bool = False,
        users: OwnUsers | None = None,
    ) -> tuple[LayerMount, ...]:
        """An empty writable snapshot over ``layers``, topmost first; one that was there before is removed.

        again: it is kept, with what was written to it. users: of the container, which the files are to belong to. The
        kernel shows layers with their owners, or else the snapshot is made over a copy that has them: ``copied``.
        """
        shown = users is not None and users.are_shifted and users.shown
        directory = self._container(stack, name)
        self._check_home()
        with file_errors(f"snapshot of {name}"):
            upper, work = f"{directory}/fs", f"{directory}/work"
            if not again or not os.path.isdir(upper):
                remove_tree(directory)
            private_files.make_directories(directory)
            others = users if users is not None and users.are_shifted and not users.shown else None
            if self.copies:
                self._copy(layers, upper, others, name)
                return ({"type": "bind", "source": upper, "options": ["bind"]},)
            if others is not None:
                layers = (self._copy(layers, self.copied(stack, name), others, name),)
            if not os.path.isdir(upper):
                os.mkdir(upper, 0o755)
                # The upper directory is the root that the container sees.
                _copy_attributes(layers[0], upper)
            private_files.make_directories(work)
            if is_rootless(os.environ) and not self._is_own(layers[-1]) and covers_mounts(layers[-1]):
                return self._put_together(directory, layers, name)
            if len(layers) > 1 and not self._is_own(layers[-1]):
                return self._over_tree(directory, layers, name, shown=shown)
            for layer in layers:
                for hidden in self._hidden_in(layer):
                    _hide(layer, hidden, upper)
            lower = ":".join(self._short(layer) for layer in layers)
        return (_overlay([f"lowerdir={lower}", f"upperdir={upper}", f"workdir={work}"], name, shown=shown),)

    @functools.cached_property
    def copies(self) -> bool:
        """Whether the snapshot of a container is a copy of its layers, since the kernel refuses to overlay them."""
        if not is_rootless(os.environ):
            return False
        from orchestra.rootless import storage

        return bool(storage.refusal(self._home.rootless))

    def _copy(self, layers: Sequence[str], target: str, users: OwnUsers | None, name: str) -> str:
        """users: those that the files are to belong to; None for the same as before."""
        if not self._is_own(layers[-1]) and covers_mounts(layers[-1]):
            message = f"snapshot of {name}: {layers[-1]} would have to be copied, with what is mounted in it"
            raise FatalError(message, hint="use an image, or a tree without mounts, or remove userns_mode")
        if not os.path.isdir(target):
            remove_tree(f"{target}.new")
            owners = self._known_owner if users is None else Owners(users.users, users.groups).outside
            merge(self._home, layers, f"{target}.new", owners)
            os.rename(f"{target}.new", target)
        return target

    @staticmethod
    def _known_owner(uid: int, gid: int) -> tuple[int, int]:
        from orchestra.rootless.ids import mapped

        return mapped("uid", uid), mapped("gid", gid)

    def _over_tree(self, directory: str, layers: Sequence[str], name: str, *, shown: bool) -> tuple[LayerMount, ...]:
        """Layers of ours over a tree that may contain them: overlayfs refuses such a pair (ELOOP), but not layers over
        another overlayfs. So the tree gets one of its own, with nothing in its upper directory but what hides the home.
        """
        from orchestra.container.rootfs import BELOW

        upper, work = f"{directory}/tree", f"{directory}/tree-work"
        for path in (upper, work):
            private_files.make_directories(path)
        _copy_attributes(layers[-1], upper)
        for hidden in self._hidden_in(layers[-1]):
            _hide(layers[-1], hidden, upper)
        own = ":".join(map(self._short, layers[:-1]))
        above = [f"lowerdir={own}", f"upperdir={directory}/fs", f"workdir={directory}/work", BELOW]
        return (
            _overlay(
                [f"lowerdir={self._short(layers[-1])}", f"upperdir={upper}", f"workdir={work}"], name, shown=shown
            ),
            _overlay(above, name, shown=shown),
        )

    def _put_together(self, directory: str, layers: Sequence[str], name: str) -> tuple[LayerMount, ...]:
        """Over a tree with mounts below it, in a user namespace. What is written all lies in one upper directory."""
        if len(layers) > 1:
            raise FatalError(
                f"snapshot of {name}: without root, an image cannot be built over {layers[-1]}, which has mounts in it",
                hint="use an image, or a tree without mounts",
            )
        tree, skeleton, upper = layers[0], f"{directory}/names", f"{directory}/fs"
        private_files.make_directories(skeleton)
        os.chmod(skeleton, 0o755)
        usable = copy_names(tree, skeleton)
        made = [_overlay([f"lowerdir={skeleton}", f"upperdir={upper}", f"workdir={directory}/work"], name)]
        for part in usable:
            lower, work = f"{tree.rstrip('/')}/{part}", f"{directory}/work-{part}"
            private_files.make_directories(work)
            with contextlib.suppress(FileExistsError):
                os.mkdir(f"{upper}/{part}")
                os.chmod(f"{upper}/{part}", stat.S_IMODE(os.stat(lower).st_mode))
            for hidden in self._hidden_in(lower):
                _hide(lower, hidden, f"{upper}/{part}")
            options = [f"lowerdir={self._short(lower)}", f"upperdir={upper}/{part}", f"workdir={work}"]
            made.append({**_overlay(options, name), "target": part})
        return tuple(made)

    def _is_own(self, layer: str) -> bool:
        return layer.startswith(f"{self._layers}/")

    def view(self, layers: Sequence[str]) -> tuple[LayerMount, ...]:
        """The layers merged, read-only.

        A tree that contains this home cannot be viewed: nothing would hide the home.
        """
        self._check_home()
        with file_errors("view of layers"):
            for layer in layers:
                if any(True for _ in self._hidden_in(layer)):
                    raise FatalError(
                        f"{layer} holds Orchestra's own files, so it cannot be used as an image",
                        hint="move ORCHESTRA_HOME out of it, or use a smaller tree",
                    )
            if len(layers) == 1:  # overlayfs wants two when nothing is written
                return ({"type": "bind", "source": layers[0], "options": ["bind", "ro"]},)
            self._make_home()
            lower = ":".join(self._short(layer) for layer in layers)
        return (_overlay([f"lowerdir={lower}"], "view of layers"),)

    def view_below(self, layers: Sequence[str], found: Found) -> LayerMount:
        """The same of what was found below their root: a file, or a directory with what layers below have there."""
        if not found.path:
            return self.view(layers)[0]
        if not found.is_directory or found.layers[0] == layers[-1]:  # no layer below: there is nothing to hide
            path = f"{found.layers[0]}{found.path}"
            if any(True for _ in self._hidden_in(path)):
                raise FatalError(
                    f"{path} holds Orchestra's own files, so it cannot be mounted", hint="mount less of it"
                )
            return {"type": "bind", "source": path, "options": ["bind", "ro"]}
        if SPECIAL & set(found.path):
            hint = "mount the directory above it"
            raise FatalError(f"{found.path}: overlayfs cannot mount a path with a comma, colon or backslash", hint=hint)
        self._check_home()
        with file_errors("view of layers"):
            self._make_home()
            private_files.make_directories(f"{self._root}/empty")
            below = [f"{self._short(layer)}{found.path}" for layer in found.layers]
        # overlayfs wants two when nothing is written
        return _overlay([f"lowerdir={':'.join([*below, f'{self._root}/empty'])}"], "view of layers")

    def image_of(self, stack: str, name: str, layers: Sequence[str]) -> tuple[str, ...]:
        """The layers as ``prepare`` has left them, with the owners that the container sees: they fill its volumes."""
        copied = self.copied(stack, name)
        return (copied,) if os.path.isdir(copied) else (self.upper(stack, name),) if self.copies else tuple(layers)

    def copied(self, stack: str, name: str) -> str:
        """The directory of the layers' copy with other owners, if ``prepare`` had to make one."""
        return f"{self._container(stack, name)}/copied"

    def upper(self, stack: str, name: str) -> str:
        """The directory of what the container wrote, in overlayfs' form."""
        return f"{self._container(stack, name)}/fs"

    def remove(self, stack: str, name: str) -> None:
        """Take the container's snapshot away, and the stack's directory with its last one. Idempotent."""
        directory = self._container(stack, name)
        with file_errors(f"snapshot of {name}"):
            remove_tree(directory)
            with contextlib.suppress(OSError):  # not the last one, or gone already
                os.rmdir(os.path.dirname(directory))

    def leftovers(self, living: Mapping[str, Collection[str]]) -> list[ContainerSnapshot]:
        """Snapshots of containers that are not among ``living``, the names of containers by stack. Sorted."""
        with file_errors("snapshots"):
            return [
                ContainerSnapshot(stack, name)
                for stack in _list(self._containers)
                for name in _list(f"{self._containers}/{stack}")
                if name not in living.get(stack, ())
            ]

    def remove_layers(self, kept: Collection[str]) -> tuple[int, int]:
        """Remove all layers but those with these chain ids, none of which may be in use.

        Returns how many, and their bytes.
        """
        removed = freed = 0
        with file_errors("layers"):
            for name in _list(self._layers):
                if name.endswith(".new") or f"sha256:{name}" in kept:
                    continue
                freed += tree_size(f"{self._layers}/{name}")
                # Rename it first: a half removed directory must not be taken for a layer.
                with self._locked(name):
                    os.rename(f"{self._layers}/{name}", f"{self._layers}/{name}.new")
                    remove_tree(f"{self._layers}/{name}.new")
                removed += 1
            for name in _list(self._links):
                target = os.readlink(f"{self._links}/{name}")
                if target.startswith("../layers/") and not os.path.exists(f"{self._links}/{name}"):
                    os.unlink(f"{self._links}/{name}")
        return removed, freed

    def layer_sizes(self) -> dict[str, int]:
        """Bytes on disk by chain id."""
        with file_errors("layers"):
            return {chain_id: tree_size(self.layer(chain_id)) for chain_id in self.chain_ids()}

    def chain_ids(self) -> list[str]:
        """The chain ids of all layers."""
        with file_errors("layers"):
            return [f"sha256:{name}" for name in _list(self._layers) if not name.endswith(".new")]

    def layer(self, chain_id: str) -> str:
        """The directory that the layer has, or would have."""
        return f"{self._layers}/{chain_id.removeprefix('sha256:')}"

    def has(self, chain_id: str) -> bool:
        return os.path.isdir(self.layer(chain_id))

    def commit(self, chain_id: str, fill: Callable[[str], None]) -> str:
        """The layer's directory. Unless it exists, ``fill`` is called with an empty one, which then becomes it.

        Other callers for the same layer wait meanwhile. After a crash or an exception of ``fill`` nothing is there.
        """
        directory = self.layer(chain_id)
        if os.path.isdir(directory):
            return directory
        with file_errors(f"layer {chain_id}"):
            self._make_home()
            with self._locked(chain_id):
                if not os.path.isdir(directory):
                    self._fill(directory, fill)
        return directory

    def adopt(self, chain_id: str, filled: str) -> None:
        """Make the directory ``filled``, on the same file system, this layer, unless it exists; then it is removed."""
        with file_errors(f"layer {chain_id}"):
            self._make_home()
            with self._locked(chain_id):
                if os.path.isdir(self.layer(chain_id)):
                    remove_tree(filled)
                    return
                sync_file_system(filled)
                os.rename(filled, self.layer(chain_id))

    def hidden_below(self, layers: Sequence[str]) -> list[str]:
        """The paths, relative to the root, at which ``prepare`` covers this home in the writable directory."""
        if len(layers) > 1:
            return []
        return [os.path.relpath(path, os.path.realpath(layer)) for layer in layers for path in self._hidden_in(layer)]

    def remove_unfinished(self) -> None:
        """Remove what crashes have left of layers; those that are being filled stay."""
        with file_errors("unfinished layers"):
            for name in _list(self._layers):
                if name.endswith(".new"):
                    with contextlib.suppress(BlockingIOError), self._locked(name, fcntl.LOCK_NB):
                        remove_tree(f"{self._layers}/{name}")

    def _fill(self, directory: str, fill: Callable[[str], None]) -> None:
        temporary = f"{directory}.new"
        remove_tree(temporary)
        os.mkdir(temporary, 0o755)
        try:
            fill(temporary)
            # Otherwise its name could survive a power failure without its files.
            sync_file_system(temporary)
            os.rename(temporary, directory)
        except BaseException:
            with contextlib.suppress(OSError):
                remove_tree(temporary)
            raise

    def _container(self, stack: str, name: str) -> str:
        for part in (stack, name):
            if part in ("", ".", "..") or "/" in part or "\0" in part or SPECIAL & set(part):
                raise FatalError(f"{part!r} is not a valid snapshot name", hint="use letters, digits, '-', '_' and '.'")
        return f"{self._containers}/{stack}/{name}"

    def _check_home(self) -> None:
        if SPECIAL & set(self._root):
            raise FatalError(
                f"{self._root}: overlayfs options cannot contain a path with a comma, colon, backslash or newline",
                hint="set ORCHESTRA_HOME to a path without them",
            )

    def _make_home(self) -> None:
        for path in (self._root, self._containers, self._layers, self._links, self._locks):
            private_files.make_directories(path)

    def _hidden_in(self, layer: str) -> Iterator[str]:
        """The real paths of the home's two roots that lie below a tree."""
        if self._is_own(layer):
            return
        tree = os.path.realpath(layer)
        for hidden in self._real_home:
            if hidden == tree:
                raise FatalError(f"{layer} is Orchestra's own directory", hint="choose another tree as the image")
            if hidden.startswith(tree.rstrip("/") + "/"):
                yield hidden

    @functools.cached_property
    def _real_home(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(os.path.realpath, (self._home.data, self._home.run))))

    def _short(self, layer: str) -> str:
        """A path for the same directory that is short, for layers, and has no character special to overlayfs."""
        inside = self._is_own(layer)
        if not inside and not SPECIAL & set(layer):
            return layer
        target = f"../layers/{os.path.basename(layer)}" if inside else layer
        # Names need to be unlikely to be taken, not hard to guess: a taken one is made longer.
        name = hashlib.sha256(os.fsencode(target)).hexdigest()
        for length in range(SHORT, len(name)):
            link = f"{self._links}/{name[:length]}"
            if self._linked(link, target) == target:
                return link
        raise FatalError(f"no free name is left in {self._links} for {layer}", hint="remove its contents")

    def _linked(self, link: str, target: str) -> str:
        """Where the link leads: to ``target`` if there was none."""
        try:
            return os.readlink(link)
        except FileNotFoundError:
            self._make_home()
            with contextlib.suppress(FileExistsError):
                os.symlink(target, link)
            return os.readlink(link)

    @contextlib.contextmanager
    def _locked(self, chain_id: str, flags: int = 0) -> Iterator[None]:
        path = f"{self._locks}/{chain_id.removeprefix('sha256:')[:3]}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | flags)
            yield
        finally:
            os.close(fd)


def _overlay(options: list[str], what: str, *, shown: bool = False) -> LayerMount:
    if is_rootless(os.environ):
        options.append("userxattr")
    if shown:
        options.append(SHOWN)
    size = len(os.fsencode(",".join(options)))
    if size >= PAGE:
        raise FatalError(
            f"{what}: its layers need {size} bytes of mount options; the kernel allows {PAGE - 1}",
            hint="set ORCHESTRA_HOME to a shorter path, or use an image with fewer layers",
        )
    return {"type": "overlay", "source": "overlay", "options": options}


def _hide(tree: str, hidden: str, upper: str) -> None:
    """Cover ``hidden``, a path below ``tree``, with an empty directory of ``upper``.

    It must be done in the upper layer: overlayfs refuses a lower layer that lies within another (ELOOP), as any
    directory of ours lies within the tree.
    """
    source = os.path.realpath(tree)
    made: list[tuple[str, str]] = []
    for part in os.path.relpath(hidden, source).split("/"):
        source, upper = f"{source.rstrip('/')}/{part}", f"{upper}/{part}"
        with contextlib.suppress(FileExistsError):
            os.mkdir(upper, 0o755)
            made.append((source, upper))
    try:
        os.setxattr(upper, opaque_attribute(), b"y")
    except PermissionError as error:
        raise FatalError(
            f"{upper}: attribute {opaque_attribute()} is not permitted, so {hidden} cannot be hidden",
            hint="use another image, or move the home to a file system with such attributes",
        ) from error
    for original, copy in reversed(made):
        if os.path.isdir(original):
            _copy_attributes(original, copy)


def _copy_attributes(source: str, target: str) -> None:
    """Owner, mode and times; the mode after the owner, since chown(2) clears bits of it."""
    status = os.stat(source)
    owner = status.st_uid, status.st_gid
    if is_rootless(os.environ):
        from orchestra.rootless.ids import mapped

        owner = mapped("uid", owner[0]), mapped("gid", owner[1])
    os.chown(target, *owner)
    os.chmod(target, stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _list(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []
