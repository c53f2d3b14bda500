"""Commands for another processor, with an emulator that the kernel knows."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
from pathlib import Path

import pytest

from orchestra.build.step import BaseImage, Run
from orchestra.linux.binfmt import DIRECTORY, interpreters
from orchestra.linux.mounts import mount
from tests.driver.local.build.making import build, graph
from tests.driver.local.build.test_platforms import for_platform
from tests.driver.local.image.making import Made, entry, layer, needs_root

QEMU = shutil.which("qemu-aarch64-static")
pytestmark = [*needs_root, pytest.mark.skipif(not QEMU, reason="needs qemu-aarch64-static (Debian: qemu-user-static)")]
ARM = "linux/arm64"
# What counts: not the version of the system's interface, nor whether the program can be loaded anywhere.
MASK = b"\xff" * 7 + bytes(9) + b"\xfe" + b"\xff" * 3
HEADER = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00"


def program() -> bytes:
    """An executable file for arm64 (elf(5)): mkdirat(AT_FDCWD, "/made", 0755), then exit with its result."""
    words = (
        *(0x92800C60, 0x100000E1, 0xD2803DA2, 0xD2800448, 0xD4000001),  # x0 = -100, x1 = path, x2 = 0755, x8 = 34
        *(0xD2800BA8, 0xD4000001),  # x8 = 93
        struct.unpack("<I", b"\x1f\x20\x03\xd5")[0],  # no operation
    )
    code = struct.pack(f"<{len(words)}I", *words) + b"/made\0\0\0"
    start, size = 0x400000, 64 + 56
    rest = struct.pack("<IQQQIHHHHHH", 1, start + size, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, start, start, size + len(code), size + len(code), 0x1000)
    return HEADER + rest + segment + code


@contextlib.contextmanager
def emulator():
    """Registered until the end of this, if there is none."""
    if any(one.architecture == "arm64" and one.is_fixed for one in interpreters()):
        yield
        return
    with contextlib.ExitStack() as stack:
        if not os.path.exists(f"{DIRECTORY}/register"):
            mount.mount("binfmt_misc", DIRECTORY, kind="binfmt_misc")
            stack.callback(mount.unmount, DIRECTORY)
        stack.enter_context(registered())
        yield


@contextlib.contextmanager
def registered():
    """It belongs to the whole machine."""
    magic, mask = ("".join(f"\\x{byte:02x}" for byte in data) for data in (HEADER, MASK))
    name = f"orchestra-test-{os.getpid()}"
    Path(f"{DIRECTORY}/register").write_text(f":{name}:M::{magic}:{mask}:{QEMU}:F")
    try:
        yield
    finally:
        Path(f"{DIRECTORY}/{name}").write_text("-1")


def test_a_command_for_another_processor_runs(home, tmp_path):
    made = Made()
    image = made.image((layer(entry("make", content=program(), mode=0o755)),), architecture="arm64")
    made.name(image, "tag").write(tmp_path / "layout")
    wanted = graph(BaseImage(f"oci:{tmp_path}/layout:tag", ARM), Run(0, ("/make",), ()))
    with emulator():
        built = build(home, for_platform(ARM, *wanted.steps))
    assert built.made == [1]
    assert built.files(top="made") == {"made": "dir 755"}
