"""Compiling ``linux.seccomp`` of an OCI config to a BPF program, using libseccomp if it is installed.

It is loaded when first needed, and never in the shim: the result is bytes for ``seccomp.load``. The library's program
is preceded by our own instructions for system calls that are newer than the library: a call that the profile names gets
the action of its rule. A call that is newer than every call the profile names fails with ENOSYS where the profile would
say EPERM, as in runc: the author cannot have meant to refuse it. On ENOSYS programs assume an older kernel and fall
back, but they take EPERM for an answer.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
from errno import EEXIST, EINVAL, ENOSYS, EPERM
from typing import Any

from orchestra.linux.syscall import SystemCallError, load_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LIBRARY = "libseccomp.so.2"

# linux/seccomp.h. In marked ones, the lower half is a number from the rule.
ACTIONS = {
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_NOTIFY": 0x7FC00000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}
NUMBERED = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
OPERATORS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
# OCI runtime spec, config-linux, "Seccomp".
ARCHITECTURES = (
    *("SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS"),
    *("SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32"),
    *("SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390", "SCMP_ARCH_S390X"),
    *("SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64"),
)
CTL_OPTIMIZE, BINARY_TREE = 8, 2  # seccomp_attr_set(3)
UNKNOWN = -1  # __NR_SCMP_ERROR

# Common numbers of all architectures, for calls newer than the oldest libseccomp in use.
NEWER = {
    "process_mrelease": 448,
    "futex_waitv": 449,
    "set_mempolicy_home_node": 450,
    "cachestat": 451,
    "fchmodat2": 452,
    "map_shadow_stack": 453,
    "futex_wake": 454,
    "futex_wait": 455,
    "futex_requeue": 456,
    "statmount": 457,
    "listmount": 458,
    "lsm_get_self_attr": 459,
    "lsm_set_self_attr": 460,
    "lsm_list_modules": 461,
    "mseal": 462,
    "setxattrat": 463,
    "getxattrat": 464,
    "listxattrat": 465,
    "removexattrat": 466,
    "open_tree_attr": 467,
    "file_getattr": 468,
    "file_setattr": 469,
}
SHARED = range(424, 4096)
"""Calls with the same number on every architecture; older ones have one for each."""

# Classic BPF (linux/filter.h): struct sock_filter and the operations used by our instructions.
_INSTRUCTION = struct.Struct("=HBBI")
LOAD, JUMP_EQUAL, JUMP_GREATER, JUMP_ALWAYS, RETURN = 0x20, 0x15, 0x25, 0x05, 0x06
NUMBER_OFFSET, ARCHITECTURE_OFFSET = 0, 4  # of struct seccomp_data
X32_BIT = 0x40000000
X86_64 = 0xC000003E


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


@functools.cache
def _library() -> ctypes.CDLL | None:
    u32, pointer, text = ctypes.c_uint32, ctypes.c_void_p, ctypes.c_char_p
    functions = (
        ("seccomp_init", pointer, (u32,)),
        ("seccomp_release", None, (pointer,)),
        ("seccomp_attr_set", ctypes.c_int, (pointer, ctypes.c_int, u32)),
        ("seccomp_arch_resolve_name", u32, (text,)),
        ("seccomp_arch_native", u32, ()),
        ("seccomp_arch_add", ctypes.c_int, (pointer, u32)),
        ("seccomp_syscall_resolve_name", ctypes.c_int, (text,)),
        ("seccomp_rule_add_array", ctypes.c_int, (pointer, u32, ctypes.c_int, ctypes.c_uint, pointer)),
        ("seccomp_export_bpf", ctypes.c_int, (pointer, ctypes.c_int)),
    )
    return load_library(LIBRARY, functions)


def is_installed() -> bool:
    return _library() is not None


def architectures() -> list[str]:
    """The architectures of the OCI runtime spec that the installed library supports."""
    library = _library()
    if library is None:
        return []
    return [name for name in ARCHITECTURES if library.seccomp_arch_resolve_name(_architecture(name))]


def _architecture(name: str) -> bytes:
    """The library's name for it."""
    return name.removeprefix("SCMP_ARCH_").lower().encode()


def version() -> str:
    """The version of the installed library; empty if there is none."""
    library = _library()
    if library is None:
        return ""
    library.seccomp_version.restype = ctypes.POINTER(ctypes.c_uint * 3)
    return ".".join(str(number) for number in library.seccomp_version().contents)


def compile_profile(profile: Mapping[str, Any]) -> bytes:
    """The program of ``linux.seccomp``. Names that no architecture has are ignored, as the specification demands.

    OSError: ENOSYS if libseccomp is not installed, EINVAL if this is not a profile.
    """
    library = _library()
    if library is None:
        raise SystemCallError(ENOSYS, "seccomp", LIBRARY, "install the package libseccomp2")
    default = _action(profile.get("defaultAction"), profile.get("defaultErrnoRet"))
    context = library.seccomp_init(default)
    if not context:
        raise _invalid("defaultAction", str(profile.get("defaultAction")))
    try:
        architectures = {int(library.seccomp_arch_native())}
        for name in profile.get("architectures") or ():
            token = int(library.seccomp_arch_resolve_name(_architecture(name)))
            if not token:
                raise _invalid("architectures", f"{name} is not known")
            _check(library.seccomp_arch_add(context, token), name, EEXIST)
            architectures.add(token)
        # The kernel tests a new filter with every call there is: a tree makes that ten times faster. Not before 2.5.
        library.seccomp_attr_set(context, CTL_OPTIMIZE, BINARY_TREE)
        newer: dict[int, int] = {}
        newest = SHARED.start - 1
        for rule in profile.get("syscalls") or ():
            action = _action(rule.get("action"), rule.get("errnoRet"))
            groups = list(_conditions(rule.get("args") or ()))
            for name in rule.get("names") or ():
                number = library.seccomp_syscall_resolve_name(name.encode())
                shared = NEWER.get(name, number)
                if shared in SHARED:
                    newest = max(newest, shared)
                if action == default:
                    continue
                if number == UNKNOWN:
                    if name in NEWER and not rule.get("args"):
                        newer[NEWER[name]] = action
                    continue
                for group in groups:
                    comparisons = (_Comparison * max(1, len(group)))(*group)
                    result = library.seccomp_rule_add_array(
                        context, action, number, len(group), ctypes.addressof(comparisons)
                    )
                    # libseccomp refuses what some of the architectures cannot express; others get their rule.
                    _check(result, name, EEXIST)
        body = _export(library, context)
    finally:
        library.seccomp_release(context)
    return _head(sorted(architectures), newer, newest, default) + body


def _export(library: ctypes.CDLL, context: int) -> bytes:
    fd = os.memfd_create("seccomp", os.MFD_CLOEXEC)
    try:
        _check(library.seccomp_export_bpf(context, fd), "export")
        return os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)


def _head(architectures: Sequence[int], newer: Mapping[int, int], newest: int, default: int) -> bytes:
    """Decide about calls that libseccomp may not know, for these architectures; every other call goes on after it.

    newest: the highest number that the profile names.
    """
    verdicts: list[tuple[int, int, int, int]] = []
    for number, action in sorted(newer.items()):
        verdicts += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, action)]
    if default & 0xFFFF0000 == ACTIONS["SCMP_ACT_ERRNO"]:
        verdicts += [(JUMP_GREATER, 0, 1, newest), (RETURN, 0, 0, ACTIONS["SCMP_ACT_ERRNO"] | ENOSYS)]
    if not verdicts:
        return b""
    # x32 calls have a bit set in the numbers of x86_64: only libseccomp handles them.
    skipped = [(LOAD, 0, 0, NUMBER_OFFSET), (JUMP_GREATER, len(verdicts), 0, X32_BIT - 1)]
    after = len(skipped) + len(verdicts)
    code = [(LOAD, 0, 0, ARCHITECTURE_OFFSET)]
    for place, token in enumerate(architectures):
        code.append((JUMP_EQUAL, len(architectures) - place, 0, token & 0xFFFFFFFF))
    code.append((JUMP_ALWAYS, 0, 0, after))
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in (*code, *skipped, *verdicts))


def _action(name: object, number: int | None) -> int:
    if not isinstance(name, str) or name not in ACTIONS:
        raise _invalid("action", f"{name} is not known")
    if name in NUMBERED:
        return ACTIONS[name] | (EPERM if number is None else number & 0xFFFF)
    return ACTIONS[name]


def _conditions(arguments: Sequence[Mapping[str, Any]]) -> Iterator[list[_Comparison]]:
    """One rule if all arguments differ. Two conditions on one argument are alternatives: a rule for each."""
    comparisons = [_comparison(argument) for argument in arguments]
    if len({argument["index"] for argument in arguments}) == len(comparisons):
        yield comparisons
    else:
        yield from ([comparison] for comparison in comparisons)


def _comparison(argument: Mapping[str, Any]) -> _Comparison:
    if argument.get("op") not in OPERATORS:
        raise _invalid("args", f"{argument.get('op')} is not known")
    return _Comparison(
        argument["index"], OPERATORS[argument["op"]], argument.get("value", 0), argument.get("valueTwo", 0)
    )


def _check(result: int, about: str, *fine: int) -> None:
    if result < 0 and -result not in fine:
        raise SystemCallError(EINVAL, "seccomp", about, f"libseccomp: {errno.errorcode.get(-result, -result)}")


def _invalid(where: str, problem: str) -> SystemCallError:
    return SystemCallError(EINVAL, "config", f"linux.seccomp.{where}", problem)
