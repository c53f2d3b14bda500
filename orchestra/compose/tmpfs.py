"""Options of a tmpfs as Docker and the kernel take them (tmpfs(5), mount(8)). Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestra.named_tuple import NamedTuple
from orchestra.regex import regex
from orchestra.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Option word: what it decides. Of two words that decide the same thing, the later one counts.
FLAGS: dict[str, str] = {
    **dict.fromkeys(("suid", "nosuid"), "suid"),
    **dict.fromkeys(("dev", "nodev"), "dev"),
    **dict.fromkeys(("exec", "noexec"), "exec"),
    **dict.fromkeys(("sync", "async"), "sync"),
    **dict.fromkeys(("atime", "noatime"), "atime"),
    **dict.fromkeys(("diratime", "nodiratime"), "diratime"),
    **dict.fromkeys(("relatime", "norelatime"), "relatime"),
    **dict.fromkeys(("strictatime", "nostrictatime"), "strictatime"),
    **dict.fromkeys(("lazytime", "nolazytime"), "lazytime"),
    **dict.fromkeys(("symfollow", "nosymfollow"), "symfollow"),
    **dict.fromkeys(("mand", "nomand"), "mand"),
    **dict.fromkeys(("inode32", "inode64"), "inode"),
    **dict.fromkeys(("private", "rprivate", "shared", "rshared", "slave", "rslave"), "propagation"),
    **dict.fromkeys(("unbindable", "runbindable"), "propagation"),
    **dict.fromkeys(("dirsync", "noswap"), ""),
}
HUGE = ("never", "always", "within_size", "advise")
MEMORY_POLICIES = ("default", "prefer", "bind", "interleave", "local")
LARGEST_MODE = 0o7777
LARGEST_ID = (1 << 32) - 2

# As the kernel reads numbers: 0x and a leading 0 change the base, one letter is a power of 1024 (memparse()).
UNITS = "kmgtpe"
_NUMBER = regex(r"(0[xX][0-9a-fA-F]+|[0-9]+)([kKmMgGtTpPeE]?)")
_PERCENT = regex(r"[0-9]{1,4}%")


class TmpfsOptions(NamedTuple):
    """words: of the OCI runtime spec, each thing decided once. problems: what is refused, and why."""

    read_only: bool
    words: tuple[str, ...]
    problems: tuple[str, ...]


def parse_tmpfs_options(text: str) -> TmpfsOptions:
    """``size=64m,mode=1777,exec``: the part of a short ``tmpfs`` after the colon."""
    words: dict[str, str] = {}
    problems: list[str] = []
    read_only = False
    for option in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = option.partition("=")
        if option in ("ro", "rw"):
            read_only = option == "ro"
        elif option in FLAGS:
            words[FLAGS[option] or option] = option
        elif name in _VALUES and equals:
            try:
                words[name] = f"{name}={_VALUES[name](value)}"
            except ValueError as error:
                problems.append(f"tmpfs option {option}: {error}")
        elif name in _VALUES:
            problems.append(f"tmpfs option {option}: needs a value, such as {name}={_EXAMPLES[name]}")
        elif option != "defaults":
            problems.append(f"tmpfs option {option}: no such option")
    return TmpfsOptions(read_only, tuple(words.values()), tuple(problems))


def parse_tmpfs_size(value: str) -> str:
    """Bytes, as the kernel or as Docker writes them, or a share of the memory, as in ``50%``. ValueError otherwise."""
    if _NUMBER.fullmatch(value) or _PERCENT.fullmatch(value):
        return value
    size = parse_bytes(value)
    if size < 0:
        raise ValueError("a size cannot be negative")
    return str(size)


def size_in_bytes(size: str) -> int | None:
    """Of a size that ``parse_tmpfs_size`` has returned; None for a share of the memory."""
    number = _NUMBER.fullmatch(size)
    if number is None:
        return None
    digits, unit = number.groups()
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") else 10
    return int(digits, base) << 10 * (UNITS.index(unit.lower()) + 1 if unit else 0)


def _mode(value: str) -> str:
    if not re.fullmatch(r"[0-7]{1,6}", value) or int(value, 8) > LARGEST_MODE:
        raise ValueError("use an octal number, such as 1777 or 0700")
    return f"{int(value, 8):o}"


def _id(value: str) -> str:
    if not (value.isascii() and value.isdecimal() and int(value[:20]) <= LARGEST_ID):
        raise ValueError("use a number: the kernel does not know a container's user names")
    return value


def _count(value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise ValueError("use a number, with k, m or g after it if needed")
    return value


def _huge(value: str) -> str:
    if value not in HUGE:
        raise ValueError(f"use one of {', '.join(HUGE)}")
    return value


def _policy(value: str) -> str:
    if re.split("[:=]", value)[0] not in MEMORY_POLICIES:
        raise ValueError(f"use one of {', '.join(MEMORY_POLICIES)}")
    return value


_VALUES: Mapping[str, Callable[[str], str]] = {
    "size": parse_tmpfs_size,
    "nr_blocks": _count,
    "nr_inodes": _count,
    "mode": _mode,
    "uid": _id,
    "gid": _id,
    "huge": _huge,
    "mpol": _policy,
}
_EXAMPLES = {
    "size": "64m",
    "nr_blocks": "4k",
    "nr_inodes": "10k",
    "mode": "1777",
    "uid": "1000",
    "gid": "1000",
    "huge": "never",
    "mpol": "local",
}
