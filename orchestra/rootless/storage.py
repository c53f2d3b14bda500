"""Whether containers' roots can be overlays in the user namespace of a home; if not, they are copies of their images.

The keeper tries it where the layers are, once for all commands of the home: a kernel before 5.11 refuses every overlay
there, others refuse file systems such as overlayfs itself, or NFS.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile

from orchestra.linux import private_files
from orchestra.linux.mounts import mount

COPIES = "containers get copies of their images, which takes time and space: {}"


def refusal(directory: str) -> str:
    """Why roots are copies; empty if they are overlays. directory: ``Home.rootless``."""
    try:
        with open(_file(directory), encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def find_refusal(directory: str, snapshots: str) -> str:
    """Try it, and store the outcome for ``refusal``. snapshots: ``Home.snapshots``."""
    reason = _try(snapshots)
    if reason:
        private_files.store(_file(directory), reason.encode())
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_file(directory))
    return reason


def _file(directory: str) -> str:
    return f"{directory}/copies"


def _try(snapshots: str) -> str:
    private_files.make_directories(snapshots)
    place = tempfile.mkdtemp(prefix="trial-", dir=snapshots)
    try:
        for name in ("lower", "upper", "work", "root"):
            os.mkdir(f"{place}/{name}")
        options = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work,userxattr"
        mount.mount("overlay", f"{place}/root", "overlay", data=options)
        try:
            os.mkdir(f"{place}/root/made")  # without extended attributes it is read-only
        finally:
            mount.unmount(f"{place}/root")
    except OSError as error:
        return f"overlayfs at {snapshots}: {error.strerror}"
    finally:
        shutil.rmtree(place)
    return ""
