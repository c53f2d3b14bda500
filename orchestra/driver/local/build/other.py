"""Handing a build to another program, and taking the image over into our store."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

from orchestra.build.event import StageOutput
from orchestra.build.other import build_command, save_command
from orchestra.driver.local.build.waiting import Interrupted
from orchestra.driver.local.image.adding import Added
from orchestra.driver.local.image.archives.loading import load_archive
from orchestra.driver.local.image.content.store import Stored
from orchestra.errors import EnvironmentLack, FatalError
from orchestra.linux.readiness import first_readable
from orchestra.model.document import parse_document
from orchestra.model.platform import parse_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestra.build.event import BuildEvent
    from orchestra.build.other import Order
    from orchestra.driver.local.image.store import ImageStore

CHUNK = 1 << 16


def hand_over(
    store: ImageStore,
    order: Order,
    names: Sequence[str],
    environment: Mapping[str, str],
    cancelled: int,
    hear: Callable[[BuildEvent], None],
) -> Added:
    """names: full ones that the image gets here. environment: of the program. cancelled: readable when all is to end.

    Call this while the content is held. Raises FatalError if the program fails, and EnvironmentLack without it.
    """
    _run(build_command(order), environment, str(order), cancelled, hear)
    with open(order.id_file, encoding="ascii") as file:
        image_id = file.read().strip()
    archive = f"{order.id_file}.tar"
    _run(save_command(order.builder, image_id, archive), environment, f"{order.builder} save", cancelled, hear)
    platform = parse_platform(order.platform, os.uname().machine)
    [loaded] = load_archive(store, archive, platform, f"the image of {order.builder}")
    os.unlink(archive)
    parts, document = store.parts(loaded.digest), store.content.read(loaded.digest)
    assert parts is not None
    assert document is not None
    kind = str(parse_document(document)["mediaType"])
    for name in names:
        entry = Stored(name, loaded.digest, loaded.digest, len(document), str(platform), media_type=kind)
        store.content.put_entry(entry)
    return Added(parts.config_blob.digest, loaded.digest)


def _run(
    command: Sequence[str],
    environment: Mapping[str, str],
    what: str,
    cancelled: int,
    hear: Callable[[BuildEvent], None],
) -> None:
    """Tell what it writes, line by line."""
    began = time.monotonic()
    hear(StageOutput(what))
    try:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except FileNotFoundError:
        hint = f"install {command[0]}, or leave the builder out: images are then built by Orchestra itself"
        raise EnvironmentLack(f"the builder {command[0]} is not installed", hint=hint) from None
    last = ""
    with process:
        assert process.stdout is not None
        output, rest = process.stdout.fileno(), b""
        while True:
            if cancelled in first_readable([output, cancelled]):
                process.terminate()
                raise Interrupted
            data = os.read(output, CHUNK)
            *lines, rest = (rest + data).split(b"\n") if data else (rest, b"")
            for line in filter(None, (one.decode(errors="replace").rstrip() for one in lines)):
                last = line
                hear(StageOutput(what, line))
            if not data:
                break
    if process.returncode:
        raise FatalError(f"{what}: exit code {process.returncode}{last and f': {last}'}")
    hear(StageOutput(what, "", time.monotonic() - began, done=True))
