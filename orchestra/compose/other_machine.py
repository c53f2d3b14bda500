"""Whether the host paths of a file that comes from another machine can be meant on this one."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

from orchestra.compose.image_references import locate_image, split_transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.service import Service

_SECCOMP = ("seccomp=", "seccomp:")


def check_other_machine(service: Service, path: Path, context: Context) -> None:
    """A relative path is one of the project, which is on the other machine: it must be here at the same place, too.

    Absolute paths are this machine's.
    """
    reader = context.reader
    if not reader.is_for_another_machine:
        return
    for place, source in _relative_paths(service, path, context):
        if not os.path.exists(source):
            message = f"{source} does not exist on the other machine, where the containers are"
            hint = (
                "give an absolute path of that machine, or take the files there: in the image (build), as a config, or "
                "into a named volume (cp)"
            )
            context.problems.error("not-on-the-host", message, context.span(place), place, hint)


def _relative_paths(service: Service, path: Path, context: Context) -> Iterator[tuple[Path, str]]:
    yield from (
        (place, source) for place, source in _paths(service, path, context) if source in context.reader.relative
    )
    transport, source, _ = split_transport(service.image or "")
    if transport and not os.path.isabs(source):
        yield (*path, "image"), split_transport(locate_image(service.image or "", context))[1]


def _paths(service: Service, path: Path, context: Context) -> Iterator[tuple[Path, str]]:
    for index, mount in enumerate(service.volumes):
        place = (*path, "volumes", index)
        if mount.type == "bind" and mount.source:
            yield (*place, "source"), mount.source
        elif mount.type == "volume" and mount.source in context.stack.volumes:
            options = context.stack.volumes[mount.source].driver_opts or {}
            if device := options.get("device"):
                yield ("volumes", mount.source, "driver_opts", "device"), str(device)
    for index, option in enumerate(service.security_opt or ()):
        if option.startswith(_SECCOMP):
            yield (*path, "security_opt", index), option[len(_SECCOMP[0]) :]
