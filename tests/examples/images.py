"""Images that run: busybox as the only program, and whatever configuration a test wants."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.driver.local.image.making import Made, directory, entry, layer, link

if TYPE_CHECKING:
    from pathlib import Path

BUSYBOX = shutil.which("busybox") or ""
APPLETS = ("sh", "sleep", "cat", "id", "env", "pwd", "true", "false", "touch", "test", "ls", "stat", "kill", "echo")

needs_busybox = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.skipif(not BUSYBOX, reason="needs busybox, linked statically"),
    pytest.mark.timeout(120),
]


def busybox(path: Path, config: dict[str, Any] | None = None, *entries: Any, **image: Any) -> str:
    """The reference of a layout at ``path`` with one image. config: as in the image's configuration; entries: more of
    its only layer; image: further words for ``Made.image``.
    """
    made = Made()
    return made.name(made.image([busybox_layer(*entries)], config=config, **image)).write(path)


def busybox_layer(*entries: Any) -> bytes:
    with open(BUSYBOX, "rb") as file:
        program = file.read()
    base = [
        *(directory(name) for name in ("bin", "etc", "tmp", "root")),
        entry("bin/busybox", content=program, mode=0o755),
        *(link(f"bin/{name}", "busybox") for name in APPLETS),
    ]
    return layer(*base, *entries)
