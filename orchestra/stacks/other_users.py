"""The homes of other users, which root may ask about. Their files are read as those users: they are not trusted."""

from __future__ import annotations

import json
import os
import pwd
import select
import signal

from orchestra.home import Home, find_home
from orchestra.linux import process
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

PATIENCE = 10.0
"""Seconds for one home: a user can put files into it that cannot be read to their end."""
KEEPER = "orchestra-keepe"
"""The name of a home's keeper, as far as the kernel keeps it (PR_SET_NAME)."""
VARIABLES = ("HOME", "ORCHESTRA_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")


class UserHome(NamedTuple):
    """environment: what decides where it is."""

    user: str
    uid: int
    gid: int
    home: Home
    environment: Mapping[str, str]


def find_user_homes() -> list[UserHome]:
    """Where users of passwd(5) have theirs by default, and wherever one is in use. Sorted by user."""
    found: dict[Home, UserHome] = {}
    for each in (*_by_default(), *_in_use()):
        if each.uid and each.home not in found and any(map(os.path.isdir, each.home)):
            found[each.home] = each
    return sorted(found.values())


def _by_default() -> Iterator[UserHome]:
    for account in pwd.getpwall():
        environment = {"HOME": account.pw_dir}
        if os.path.isdir(run := f"/run/user/{account.pw_uid}"):
            environment["XDG_RUNTIME_DIR"] = run
        home = find_home(environment, account.pw_uid)
        yield UserHome(account.pw_name, account.pw_uid, account.pw_gid, home, environment)


def _in_use() -> Iterator[UserHome]:
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                if file.read().strip() != KEEPER:
                    continue
            with open(f"/proc/{pid}/environ", "rb") as file:
                pairs = (entry.partition("=") for entry in os.fsdecode(file.read()).split("\0"))
                environment = {name: value for name, _, value in pairs if name in VARIABLES}
            status = os.stat(f"/proc/{pid}")
        except (FileNotFoundError, ProcessLookupError):
            continue
        try:
            name = pwd.getpwuid(status.st_uid).pw_name
        except KeyError:
            name = str(status.st_uid)
        home = find_home(environment, status.st_uid)
        if os.path.isabs(home.data):
            yield UserHome(name, status.st_uid, status.st_gid, home, environment)


def ask_as(user: UserHome, question: Callable[[], Any]) -> Any:
    """The answer, which JSON can hold, of a process that has become the user. None if there is none in time."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            process.prctl(process.PR_SET_PDEATHSIG, signal.SIGKILL)
            os.setgroups([])
            os.setresgid(user.gid, user.gid, user.gid)
            os.setresuid(user.uid, user.uid, user.uid)
            with open(writer, "w", encoding="utf-8") as file:
                json.dump(question(), file)
        finally:
            # The last frame of a forked process: it must not run on in its parent's code.
            os._exit(0)
    os.close(writer)
    try:
        text = _read(reader)
    finally:
        os.close(reader)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return json.loads(text) if text else None


def _read(reader: int) -> bytes:
    text = b""
    while select.select([reader], [], [], PATIENCE)[0]:
        piece = os.read(reader, 1 << 16)
        if not piece:
            return text
        text += piece
    return b""
