"""The rules of one stack in the kernel: applied, and later compared with what was applied.

Later changes to the table (``nft flush ruleset``, a firewall that reloads, a person) are found by comparing what the
kernel holds now with what it held right after our transaction.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from typing import TYPE_CHECKING

from orchestra.driver.local.net.filter import CHAINS, apply_rules, table_name
from orchestra.errors import TemporaryError
from orchestra.linux import private_files, whole_files
from orchestra.linux.network.netlink import FAMILIES
from orchestra.linux.network.nftables_watch import table_content
from orchestra.record import Record

if TYPE_CHECKING:
    from orchestra.driver.local.net.filter import Rule
    from orchestra.home import Home

_applying = threading.Lock()
"""A look between the transaction and its record would take our own rules for another program's."""


class _Seal(Record):
    """asked: the transaction; held: the kernel's version of it. Both are digests."""

    asked: str
    held: str


def apply(home: Home, stack: str, transaction: Rule) -> None:
    """Have the kernel hold these rules of the stack; does nothing if it does. Raises DriverError."""
    wanted = sum("rule" in command.get("add", {}) for command in transaction["nftables"])
    asked = _digest(json.dumps(transaction).encode())
    with _applying:
        seal = _load(home, stack)
        if seal is not None and seal.asked == asked and _held(home, stack, wanted) == seal.held:
            return
        apply_rules(transaction)
        held = _held(home, stack, wanted)
        if not wanted:
            forget(home, stack)
        elif not held:
            raise TemporaryError(
                f"the rules of stack {stack} were changed by another program while they were being written"
            )
        else:
            private_files.make_directories(os.path.dirname(_path(home, stack)))
            private_files.store(_path(home, stack), f"{asked} {held}\n".encode())


def is_whole(home: Home, stack: str) -> bool:
    """Whether the kernel holds exactly what was last applied. Raises OSError if rules may not be read."""
    with _applying:
        seal = _load(home, stack)
        return seal is not None and _held(home, stack) == seal.held


def forget(home: Home, stack: str) -> None:
    """Note that the stack should not have rules any more."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_path(home, stack))


def was_applied(home: Home, stack: str) -> bool:
    """Whether the stack should have rules at all."""
    return os.path.exists(_path(home, stack))


def _held(home: Home, stack: str, rules: int | None = None) -> str:
    """The digest of what the kernel holds; '' if that is nothing, or another number of rules."""
    tables = [table_content(table_name(home, stack), CHAINS, family) for family in FAMILIES]
    held = [table for table in tables if table is not None]
    if not held or rules not in (None, sum(table.rules for table in held)):
        return ""
    return _digest(b"".join(table.raw for table in held))


def _load(home: Home, stack: str) -> _Seal | None:
    """None if there is no valid record: then the rules are made again."""
    try:
        words = whole_files.read(_path(home, stack)).decode(errors="replace").split()
    except FileNotFoundError:
        return None
    return _Seal(*words) if len(words) == 2 else None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _path(home: Home, stack: str) -> str:
    return f"{home.networks}/rules/{stack}"
