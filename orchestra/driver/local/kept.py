"""What makes a container whole again after a reboot, when the run directory is empty.

What it wrote is in its snapshot and its volumes. Beside the stack's desired state is a copy of the few files of its
directory that say what it was made as and how its last run ended, so that it becomes the same container again: with its
id, with what it wrote, ended as it had ended. The rest is rendered anew from the desired state.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping  # noqa: TC003 - read at run time by the codec
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from orchestra.container.directory import ContainerDirectory
from orchestra.driver.local.image.tree import is_same_tree
from orchestra.driver.local.look import BEFORE, HOOKS, START, STOP, of_run
from orchestra.driver.local.record import ContainerRecord, load_record, sound, store_record
from orchestra.linux import private_files, whole_files
from orchestra.linux.durability import sync_directory
from orchestra.linux.process import boot_id, booted_at
from orchestra.model.codec import decode, encode
from orchestra.record import Record, replace

if TYPE_CHECKING:
    from orchestra.home import StackHome
    from orchestra.model.container import ContainerSpec

EXIT = "exit.json"


class Kept(Record):
    """boot: of the machine, when this was written. files: by name, those that a restored container gets.

    began_at: of a run that had not ended by itself, 0 if there was none; ended: how it did, if it was stopped.
    """

    boot: str
    record: ContainerRecord
    files: Mapping[str, Mapping[str, Any]] = {}
    began_at: float = 0.0
    ended: Mapping[str, Any] = {}

    def fits(self, spec: ContainerSpec, image_digest: str) -> bool:
        """Whether the container was made from this definition and image."""
        made = self.record.container
        same_image = made.image_digest == image_digest or is_same_tree(made.image_digest, image_digest)
        return made.config_hash == spec.config_hash and same_image


def find_kept(directory: str) -> Kept | None:
    """What is to be kept of a container as it is now; None unless it was made completely."""
    files = ContainerDirectory(directory)
    record = sound(load_record, directory)
    if record is None or not record.container.config_hash:
        return None
    run, ended = files.load_sound("state.json"), files.load_sound(EXIT)
    began_at = float(ended.get("started_at") or run.get("started_at") or 0.0)
    # A run that was stopped did not end by itself: whether another one follows depends on what is desired.
    keeps_end = bool(ended) and not of_run(files, STOP, began_at)
    copied = (START, HOOKS, EXIT) if keeps_end else (HOOKS,)
    return Kept(
        boot_id(),
        record,
        files={name: content for name in copied if (content := files.load_sound(name))},
        began_at=0.0 if keeps_end else began_at,
        ended={} if keeps_end else ended,
    )


def announce(kept: Kept, directory: str) -> None:
    """Make the directory of a container that is yet to be made whole: it is seen as ended, and can be removed."""
    private_files.make_directories(directory)
    record = kept.record
    if last := kept.ended or kept.files.get(EXIT) or _cut_off(kept):
        ContainerDirectory(directory).store(BEFORE, dict(last))
    store_record(directory, replace(record, container=replace(record.container, config_hash="")))


def restore(kept: Kept, directory: str) -> None:
    """Write the files of a container that has just been made anew, except its record, which comes last.

    Within one boot its runs are lost, and so it is started if it is wanted.
    """
    if kept.boot == boot_id():
        return
    files = ContainerDirectory(directory)
    for name, content in kept.files.items():
        files.store(name, dict(content))
    if end := _cut_off(kept):
        files.store(EXIT, end)


def _cut_off(kept: Kept) -> dict[str, Any]:
    """The end of a run that the reboot has ended, at the latest; empty if there was none."""
    if not kept.began_at:
        return {}
    moments = {"started_at": kept.began_at, "finished_at": max(kept.began_at, booted_at())}
    return {"exit_code": None, "oom_killed": False, **moments}


def kept_names(stack_home: StackHome) -> list[str]:
    try:
        names = sorted(os.listdir(stack_home.kept))
    except FileNotFoundError:
        return []
    return [name.removesuffix(".json") for name in names if name.endswith(".json")]


def load_kept(stack_home: StackHome, name: str) -> Kept | None:
    """None if nothing was kept; a damaged file counts as none."""
    try:
        return decode(Kept, json.loads(whole_files.read(_path(stack_home, name))))
    except (FileNotFoundError, ValueError, RecursionError):
        return None


def store_kept(stack_home: StackHome, name: str, kept: Kept) -> None:
    """What it says is on disk when this returns; its name once ``sync_kept`` has returned."""
    path, content = _path(stack_home, name), json.dumps(encode(kept), separators=(",", ":")).encode()
    temporary = f"{path}.new"
    try:
        whole_files.write(temporary, content, durable=True)
    except FileNotFoundError:
        private_files.make_directories(stack_home.kept)
        whole_files.write(temporary, content, durable=True)
    os.replace(temporary, path)


def sync_kept(stack_home: StackHome) -> None:
    """After all that is to be stored: the directory of all of them is written to the disk once."""
    sync_directory(stack_home.kept)


def forget_kept(stack_home: StackHome, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(_path(stack_home, name))


def _path(stack_home: StackHome, name: str) -> str:
    return f"{stack_home.kept}/{name}.json"
