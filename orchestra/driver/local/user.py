"""The user of a container's program: Docker's ``user[:group]``, looked up in the image's passwd(5) and group(5).

The rules are Docker's: a number is always an id, a name must be known; without a group it is the user's own, with
supplementary groups by membership.
"""

from __future__ import annotations

import os
from errno import ENOENT
from typing import TYPE_CHECKING

from orchestra.errors import FatalError
from orchestra.home import is_rootless
from orchestra.linux.mounts.resolve import open_in_root
from orchestra.linux.namespaces import is_ours
from orchestra.named_tuple import NamedTuple
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LARGEST_ID = (1 << 31) - 1
LONGEST_FILE = 1 << 20
LARGEST_IN_FILES = (1 << 32) - 2  # the kernel's limit, which some images use


class User(Record):
    """groups: supplementary group ids, without repetition, the primary one first. home: an absolute path."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = (0,)
    home: str = "/"


class _Account(NamedTuple):
    name: str
    uid: int
    gid: int
    home: str


class _Group(NamedTuple):
    name: str
    gid: int
    members: tuple[str, ...]


def resolve_user(text: str, passwd: str, group: str, *, additional: Iterable[str] = (), own: bool = False) -> User:
    """``text`` as in ``user:``, empty for root. additional: as in ``group_add``. Raises FatalError.

    Pure: the files are given as texts, empty where the image has none. own: the container has users of its own, so
    that those of the stack say nothing about it.
    """
    user_word, _, group_word = text.strip().partition(":")
    group_word = group_word.partition(":")[0]
    groups = tuple(_parse_groups(group))
    number = _parse_id(user_word, "user") if user_word else 0
    accounts = _parse_passwd(passwd)
    account = next((a for a in accounts if (a.uid == number if number is not None else a.name == user_word)), None)
    if account is None and number is None:
        hint = "use a name from the image's /etc/passwd, or a number"
        raise FatalError(f"user {user_word!r} does not exist in the image", hint=hint)
    uid, gid, home = (account.uid, account.gid, account.home) if account else (number or 0, 0, "/")
    supplementary: list[int] = []
    if group_word:
        gid = _find_group(group_word, groups)
    elif account is not None:
        supplementary = [entry.gid for entry in groups if account.name in entry.members]
    supplementary += [_find_group(word, groups) for word in additional]
    home = home if home.startswith("/") else "/"
    if is_rootless(os.environ) and not own:
        from orchestra.rootless.ids import is_root_alone, mapped

        if (mapped("uid", uid), mapped("gid", gid)) != (uid, gid):
            hint = "give your own user ids for containers in /etc/subuid and /etc/subgid: orchestra doctor says how"
            raise FatalError(f"user {uid}:{gid}: without root, containers have no such id here", hint=hint)
        if is_root_alone():
            return User(uid, gid, (), home)  # the kernel lets such a namespace change no groups (user_namespaces(7))
    return User(uid, gid, tuple(dict.fromkeys((gid, *supplementary))), home)


def resolve_user_within(pid: int, text: str) -> User:
    """The same by the files of a container, whose first process is ``pid``: for programs executed in it.

    They are not trusted: no link leads out of its root. Raises FatalError, and OSError if it has just ended.
    """
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_CLOEXEC)

    def read(path: str) -> str:
        try:
            fd = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == ENOENT:
                return ""
            raise
        with open(fd, encoding="utf-8", errors="replace") as file:
            return file.read(LONGEST_FILE)

    try:
        own = not is_ours("user", pid)
        return resolve_user(text, read("/etc/passwd"), read("/etc/group"), own=own)
    finally:
        os.close(root)


def _find_group(word: str, groups: Iterable[_Group]) -> int:
    number = _parse_id(word, "group")
    if number is not None:
        return number
    for entry in groups:
        if entry.name == word:
            return entry.gid
    hint = "use a name from the image's /etc/group, or a number"
    raise FatalError(f"group {word!r} does not exist in the image", hint=hint)


def _parse_id(word: str, what: str) -> int | None:
    """None if it is a name."""
    if not (word.isascii() and word.removeprefix("-").isdigit()):
        return None
    number = int(word)
    if not 0 <= number <= LARGEST_ID:
        raise FatalError(f"{what} {word} is out of range", hint=f"use an id from 0 to {LARGEST_ID}")
    return number


def _parse_passwd(text: str) -> Iterator[_Account]:
    """Malformed lines, such as those of NIS, are skipped."""
    for fields in _fields(text):
        if len(fields) >= 4 and _is_id(fields[2]) and _is_id(fields[3]):
            yield _Account(fields[0], int(fields[2]), int(fields[3]), fields[5] if len(fields) > 5 else "")


def _parse_groups(text: str) -> Iterator[_Group]:
    for fields in _fields(text):
        if len(fields) >= 3 and _is_id(fields[2]):
            members = fields[3].split(",") if len(fields) > 3 else ()
            yield _Group(fields[0], int(fields[2]), tuple(name.strip() for name in members))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= LARGEST_IN_FILES


def _fields(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.strip():
            yield line.strip().split(":")
