"""An image of a container's changes: one more layer on its image, and its configuration.

A container of a directory tree (``rootfs:DIR``) has no image to add to: its whole file system becomes one layer.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import tarfile
import time
from errno import ENODATA, ENOTSUP, EOPNOTSUPP
from typing import TYPE_CHECKING, Any

from orchestra.container.directory import ContainerDirectory
from orchestra.driver.local.bundle.process import DEFAULT_PATH, HOME_ANNOTATION
from orchestra.driver.local.copying.archive import write_archive
from orchestra.driver.local.copying.item import Item
from orchestra.driver.local.copying.owners import owners_of, owners_on_disk
from orchestra.driver.local.copying.place import STRICT
from orchestra.driver.local.copying.reading import Reader
from orchestra.driver.local.copying.root import opened_root
from orchestra.driver.local.image.adding import add_image, describe_platform
from orchestra.driver.local.image.archives.rootfs import add_layer
from orchestra.driver.local.image.documents.changes import apply_changes
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.layers.lookup import is_opaque
from orchestra.driver.local.image.layers.unpack import OPAQUE_MARK, WHITEOUT
from orchestra.driver.local.image.store import ImageStore
from orchestra.driver.local.image.tree import PREFIX
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.errors import FatalError
from orchestra.linux import cgroup
from orchestra.linux.cgroup import freezer
from orchestra.linux.mounts.resolve import open_with
from orchestra.model.observed import Running
from orchestra.model.platform import parse_platform
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from orchestra.driver.local.copying.owners import Owners
    from orchestra.home import Home
    from orchestra.linux.cgroup import Cgroup
    from orchestra.model.observed import Container

# Attributes of overlayfs if the rest of a file or directory is in another place of a lower layer.
ELSEWHERE = ("trusted.overlay.redirect", "trusted.overlay.metacopy")
OWN_VARIABLES = ("HOSTNAME", "TERM")


class Commit(Record):
    """name: a full name, or empty. changes: lines of a Dockerfile."""

    name: str
    author: str
    message: str
    changes: tuple[str, ...]
    pause: bool


def commit_container(home: Home, stack: str, container: Container, wanted: Commit) -> str:
    """The id of the image. Raises UserError for an invalid change, FatalError for damaged data."""
    directory = home.stack(stack).container(container.name)
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    config = ContainerDirectory(directory).load_config()
    store = ImageStore(home)
    content = store.content
    what = f"container {container.name}"
    # A copy does not tell what the container has changed: the whole becomes one layer.
    whole = Snapshotter(home).copies
    with content.held(), file_errors(what):
        parts = None if container.image_digest.startswith(PREFIX) else store.parts(container.image_digest)
        if parts is None and not container.image_digest.startswith(PREFIX):
            raise FatalError(f"{what}: its image is no longer on this machine", hint="pull it again")
        document: dict[str, Any] = (
            dict(parts.document) if parts else {**describe_platform(parse_platform("", os.uname().machine))}
        )
        inherited = inherit_config(document.get("config") or {}, config)
        document["config"] = apply_changes(wanted.changes, inherited)
        with contextlib.ExitStack() as reading:
            if wanted.pause and isinstance(container.status, Running):
                reading.enter_context(paused(cgroup.at(config["linux"].get("cgroupsPath") or "")))
            if parts and not whole:
                upper = os.open(Snapshotter(home).upper(stack, container.name), os.O_PATH | os.O_DIRECTORY)
                reading.callback(os.close, upper)
                mounted = {entry["destination"] for entry in config["mounts"]}
                items = changed(upper, mounted, owners_on_disk(directory))
            else:
                root = reading.enter_context(opened_root(directory, bare=True))
                items = Reader(root, owners=owners_of(directory)).walk()
            layer, diff_id = add_layer(content, lambda output: write_archive(items, output, ""), what)
        below = parts.layers if parts and not whole else ()
        layers = [{"mediaType": blob.media_type, "digest": blob.digest, "size": blob.size} for blob in below]
        step = {"created": created, "created_by": " ".join(config["process"]["args"]), "comment": wanted.message}
        before = () if whole else document.get("history") or ()
        history: list[Any] = [*before, {**step, **_author(wanted)}]
        document |= {
            "created": created,
            "rootfs": {"type": "layers", "diff_ids": [*(parts.diff_ids if parts and not whole else ()), diff_id]},
            "history": history,
            **_author(wanted),
        }
        names = (wanted.name,) if wanted.name else ()
        return add_image(store, document, [*layers, layer], what, names=names).image_id


def inherit_config(image: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The image's ``config``, updated with what the container runs. config: of its bundle. Pure.

    The bundle has numbers for users: a name from the image stays, unless the number belongs to another user.
    """
    process = config["process"]
    found = dict(image)
    entrypoint, command = list(image.get("Entrypoint") or ()), list(image.get("Cmd") or ())
    arguments = list(process["args"])
    if arguments != [*entrypoint, *command]:
        if not entrypoint or arguments[: len(entrypoint)] != entrypoint:
            found.pop("Entrypoint", None)
            entrypoint = []
        found["Cmd"] = arguments[len(entrypoint) :]
    set_by_image = {line.partition("=")[0] for line in image.get("Env") or ()}
    ours = set(OWN_VARIABLES)
    if (config.get("annotations") or {}).get(HOME_ANNOTATION) == "true":
        ours.add("HOME")
    found["Env"] = [
        line
        for line in process.get("env") or ()
        if line.partition("=")[0] in set_by_image
        or (line.partition("=")[0] not in ours and line != f"PATH={DEFAULT_PATH}")
    ]
    if process["cwd"] != f"/{(image.get('WorkingDir') or '').lstrip('/')}":
        found["WorkingDir"] = process["cwd"]
    uid, gid = process["user"]["uid"], process["user"]["gid"]
    user = str(image.get("User") or "0").partition(":")[0]
    if user.isdecimal() and int(user) != uid:
        found["User"] = f"{uid}:{gid}"
    return found


def changed(upper: int, mounted: Collection[str], owners: Owners | None = None) -> Iterator[Item]:
    """The entries of an overlay's upper directory, in the form of a layer (see ``layers.unpack``).

    upper: O_PATH. mounted: paths at which the container has mounts: empty files there were made as mount points.
    Raises FatalError if overlayfs keeps only a part of a file there.
    """
    for item in Reader(upper, owners=owners).walk():
        entry = item.entry
        above, name = posixpath.split(entry.name)
        if entry.ischr() and entry.devmajor == entry.devminor == 0:
            yield _mark(posixpath.join(above, f"{WHITEOUT}{name}"))
            continue
        if entry.isreg() and not entry.size and f"/{entry.name}" in mounted:
            continue
        yield item
        if entry.isdir() or entry.isreg():
            fd = open_with(upper, entry.name.rstrip("/") or ".", os.O_PATH | os.O_NOFOLLOW, STRICT)
            try:
                _refuse_elsewhere(fd, entry.name)
                if entry.isdir() and entry.name and is_opaque(fd):
                    yield _mark(posixpath.join(entry.name.rstrip("/"), OPAQUE_MARK))
            finally:
                os.close(fd)


@contextlib.contextmanager
def paused(group: Cgroup) -> Iterator[None]:
    """Its processes are frozen meanwhile, if there is a freezer. They go on however this process ends."""
    if freezer.is_frozen(group):
        yield
        return
    reader, writer = os.pipe2(os.O_CLOEXEC)
    guard = os.fork()
    if guard == 0:
        try:
            os.setsid()
            os.close(writer)
            os.read(reader, 1)  # returns when the last copy of the other end is closed
            with contextlib.suppress(OSError):
                freezer.thaw(group)
        finally:
            os._exit(0)
    os.close(reader)
    try:
        try:
            freezer.freeze(group)
        except OSError as error:
            if error.errno != ENOTSUP:
                raise
        yield
    finally:
        os.close(writer)
        os.waitpid(guard, 0)


def _mark(name: str) -> Item:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o600
    return Item(entry)


def _refuse_elsewhere(fd: int, name: str) -> None:
    for attribute in ELSEWHERE:
        try:
            os.getxattr(f"/proc/self/fd/{fd}", attribute)
        except OSError as error:
            if error.errno in (ENODATA, EOPNOTSUPP):
                continue
            raise
        hint = "set the parameters redirect_dir and metacopy of the module overlay to off, and recreate the container"
        raise FatalError(f"/{name} cannot be committed: overlayfs has only a part of it ({attribute})", hint=hint)


def _author(wanted: Commit) -> dict[str, str]:
    return {"author": wanted.author} if wanted.author else {}
