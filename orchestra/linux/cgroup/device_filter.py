"""Device rules of the OCI runtime spec for cgroup version 2, which has no file for them: a BPF program decides.

The program gets struct bpf_cgroup_dev_ctx (linux/bpf.h) and answers 1 for yes. Rules are tried from the last to the
first, since later rules overrule earlier ones; devices without a rule are allowed, as in a new group of version 1.
"""

from __future__ import annotations

import ctypes
import os
import struct
from errno import ENOSYS
from typing import Any

from orchestra.linux.syscall import SystemCallError, check, raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# bpf(2) is older than the numbers that all architectures share.
SYS_BPF = {
    "x86_64": 321,
    "aarch64": 280,
    "riscv64": 280,
    "loongarch64": 280,
    "s390x": 351,
    "ppc64le": 361,
    "armv7l": 386,
    "i686": 357,
}

BPF_PROG_LOAD, BPF_PROG_ATTACH = 5, 8
BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE = 15, 6
BPF_F_ALLOW_MULTI = 2

ACCESS = {"m": 1, "r": 2, "w": 4}
ANY_ACCESS = 7
TYPES = {"b": 1, "c": 2}

# Operations: linux/bpf.h and linux/bpf_common.h.
LOAD_WORD, MOVE, MOVE_NUMBER, AND_NUMBER, SHIFT_RIGHT = 0x61, 0xBC, 0xB4, 0x54, 0x74
JUMP_IF_EQUAL, JUMP_UNLESS_EQUAL, EXIT = 0x15, 0x55, 0x95
ANSWER, SCRATCH, TYPE, WANTED, MAJOR, MINOR = range(6)  # registers; the context comes in the scratch one

_INSTRUCTION = struct.Struct("=BBhi")
Instruction = tuple[int, int, int, int]  # operation, registers, offset, number


class _LoadAttr(ctypes.Structure):
    """The part of union bpf_attr that BPF_PROG_LOAD needs."""

    _fields_ = (
        ("prog_type", ctypes.c_uint32),
        ("insn_cnt", ctypes.c_uint32),
        ("insns", ctypes.c_uint64),
        ("license", ctypes.c_uint64),
    )


class _AttachAttr(ctypes.Structure):
    """The part of union bpf_attr that BPF_PROG_ATTACH needs."""

    _fields_ = (
        ("target_fd", ctypes.c_uint32),
        ("attach_bpf_fd", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("attach_flags", ctypes.c_uint32),
    )


def attach_device_filter(directory: str, rules: Sequence[Mapping[str, Any]]) -> None:
    """Apply ``rules`` to the cgroup with this directory, and all below it, as long as the group exists."""
    program = ctypes.create_string_buffer(compile_rules(rules))
    count = (len(program) - 1) // _INSTRUCTION.size
    license_ = ctypes.create_string_buffer(b"Apache")
    load = _LoadAttr(BPF_PROG_TYPE_CGROUP_DEVICE, count, ctypes.addressof(program), ctypes.addressof(license_))
    loaded = _bpf(BPF_PROG_LOAD, load)
    try:
        group = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _bpf(BPF_PROG_ATTACH, _AttachAttr(group, loaded, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI))
        finally:
            os.close(group)
    finally:
        os.close(loaded)


def _bpf(command: int, attributes: ctypes.Structure) -> int:
    number = SYS_BPF.get(os.uname().machine)
    if number is None:
        raise SystemCallError(ENOSYS, "bpf", os.uname().machine, "its number is not known for this architecture")
    return check(raw(number, command, ctypes.byref(attributes), ctypes.sizeof(attributes)), "bpf")


def compile_rules(rules: Iterable[Mapping[str, Any]]) -> bytes:
    """The program, without rules that can never apply: the kernel refuses a program with unreachable instructions."""
    code: list[Instruction] = [
        (LOAD_WORD, TYPE | SCRATCH << 4, 0, 0),  # access_type: what is wanted << 16 | type
        (MOVE, WANTED | TYPE << 4, 0, 0),
        (SHIFT_RIGHT, WANTED, 0, 16),
        (AND_NUMBER, TYPE, 0, 0xFFFF),
        (LOAD_WORD, MAJOR | SCRATCH << 4, 4, 0),
        (LOAD_WORD, MINOR | SCRATCH << 4, 8, 0),
    ]
    for rule in reversed(list(rules)):
        conditions = _conditions(rule)
        code += _skipping(conditions, [(MOVE_NUMBER, ANSWER, 0, int(bool(rule.get("allow")))), (EXIT, 0, 0, 0)])
        if not conditions:
            break
    else:
        code += [(MOVE_NUMBER, ANSWER, 0, 1), (EXIT, 0, 0, 0)]
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in code)


def _conditions(rule: Mapping[str, Any]) -> list[Instruction]:
    """Instructions in which every jump means that the rule does not apply."""
    found: list[Instruction] = []
    kind = TYPES.get(rule.get("type") or "a")
    if kind is not None:
        found.append((JUMP_UNLESS_EQUAL, TYPE, 0, kind))
    access = sum(ACCESS[letter] for letter in set(rule.get("access") or "rwm"))
    if access != ANY_ACCESS:
        # To allow, all of the access must be granted; to deny, one part of it is enough.
        found.append((MOVE, SCRATCH | WANTED << 4, 0, 0))
        if rule.get("allow"):
            found += [(AND_NUMBER, SCRATCH, 0, ANY_ACCESS & ~access), (JUMP_UNLESS_EQUAL, SCRATCH, 0, 0)]
        else:
            found += [(AND_NUMBER, SCRATCH, 0, access), (JUMP_IF_EQUAL, SCRATCH, 0, 0)]
    for register, key in ((MAJOR, "major"), (MINOR, "minor")):
        number = rule.get(key)
        if number is not None and number >= 0:
            found.append((JUMP_UNLESS_EQUAL, register, 0, number))
    return found


def _skipping(conditions: list[Instruction], verdict: list[Instruction]) -> list[Instruction]:
    """Point every jump of ``conditions`` past ``verdict``; an offset counts from the next instruction."""
    end = len(conditions) + len(verdict)
    aimed = [
        (code, registers, end - place - 1 if code in (JUMP_IF_EQUAL, JUMP_UNLESS_EQUAL) else offset, number)
        for place, (code, registers, offset, number) in enumerate(conditions)
    ]
    return aimed + verdict
