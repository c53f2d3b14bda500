"""Images that run: busybox as the only program, and whatever configuration a test wants."""

from __future__ import annotations

import os
import shutil
import subprocess
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


def write_busybox_root(path: Path) -> Path:
    """Make the directory a root file system with busybox under all of its names; that directory."""
    if not BUSYBOX:
        pytest.skip("needs busybox, linked statically (Debian: busybox-static)")
    path.chmod(0o755)
    for name in ("bin", "etc", "proc", "dev", "sys", "tmp", "run", "root", "var", "home"):
        (path / name).mkdir()
    (path / "tmp").chmod(0o1777)
    (path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home:/bin/sh\n")
    (path / "etc/group").write_text("root:x:0:\nuser:x:1000:\n")
    shutil.copy(BUSYBOX, path / "bin/busybox")
    applets = subprocess.run([BUSYBOX, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            (path / "bin" / applet).symlink_to("busybox")
    return path
