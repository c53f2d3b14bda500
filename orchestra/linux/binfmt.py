"""Interpreters that the kernel has for programs of other processors: Documentation/admin-guide/binfmt-misc.rst."""

from __future__ import annotations

import os

from orchestra.named_tuple import NamedTuple

DIRECTORY = "/proc/sys/fs/binfmt_misc"
# e_ident's class and byte order, and e_machine (elf(5)), by the architecture's name in Go.
ELF = {
    "386": (1, 1, 3),
    "amd64": (2, 1, 62),
    "arm": (1, 1, 40),
    "arm64": (2, 1, 183),
    "loong64": (2, 1, 258),
    "mips64le": (2, 1, 8),
    "ppc64le": (2, 1, 21),
    "riscv64": (2, 1, 243),
    "s390x": (2, 2, 22),
}
_CLASS, _ORDER, _MACHINE = 4, 5, 18


class Interpreter(NamedTuple):
    """is_fixed: it was opened when it was registered (flag F), so that containers need not have it."""

    architecture: str
    path: str
    is_fixed: bool


def interpreters(directory: str = DIRECTORY) -> list[Interpreter]:
    """Those that are enabled; none if binfmt_misc is not mounted."""
    found = []
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    for name in names:
        if name not in ("register", "status"):
            with open(f"{directory}/{name}", encoding="ascii", errors="replace") as file:
                one = parse_interpreter(file.read())
            if one is not None:
                found.append(one)
    return found


def parse_interpreter(text: str) -> Interpreter | None:
    """None for one that is not enabled, or is for something else than programs of a known processor."""
    state, *lines = text.splitlines() or [""]
    fields = {key.rstrip(":"): value for key, _, value in (line.partition(" ") for line in lines)}
    try:
        magic = bytes.fromhex(fields.get("magic", ""))
    except ValueError:
        return None
    if state != "enabled" or fields.get("offset") != "0" or not magic.startswith(b"\x7fELF") or len(magic) < 20:
        return None
    order = magic[_ORDER]
    machine = int.from_bytes(magic[_MACHINE : _MACHINE + 2], "big" if order == 2 else "little")
    for architecture, elf in ELF.items():
        if elf == (magic[_CLASS], order, machine):
            return Interpreter(architecture, fields.get("interpreter", ""), "F" in fields.get("flags", ""))
    return None
