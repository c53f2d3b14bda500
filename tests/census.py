"""What of Orchestra is on this machine right now, as a set of sentences: taken before and after a run and compared.

Looks for traces rather than asking Orchestra, so that what its own books have forgotten is found too.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKS = ("orchestra", "orc-")
COMMANDS = ("orchestra.supervisor", "orchestra/shim", "orchestra.runtime")
SYSTEM_HOMES = ("/var/lib/orchestra", "/run/orchestra")
SETTINGS = ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/conf/all/forwarding")


def take() -> frozenset[str]:
    """Every process, mount, namespace, cgroup, interface, nftables table, directory and setting worth comparing."""
    return frozenset(
        [*processes(), *mounts(), *cgroups(), *interfaces(), *tables(), *homes(), *settings()],
    )


def processes() -> Iterator[str]:
    """Fork servers, supervisors, shims and runtimes; and whatever lives in a cgroup of ours."""
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            comm = (directory / "comm").read_text().strip()
            ours = any(mark in command for mark in COMMANDS) or comm.startswith("orchestra-")
            if ours or "/orchestra" in (directory / "cgroup").read_text():
                yield f"process {directory.name}: {command or comm}"


def mounts() -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[fields.index("-") + 1] == "nsfs" or "orchestra" in fields[4]:
            yield f"mount {fields[4]}"


def cgroups() -> Iterator[str]:
    # os.walk passes over groups that go away meanwhile.
    for here, below, _files in os.walk("/sys/fs/cgroup"):
        yield from (f"cgroup {here}/{name}" for name in below if name.startswith("orchestra"))


def interfaces() -> Iterator[str]:
    for directory in Path("/sys/class/net").iterdir():
        alias = ""
        with contextlib.suppress(OSError):
            alias = (directory / "ifalias").read_text().strip()
        if any(mark in directory.name or mark in alias for mark in MARKS):
            yield f"interface {directory.name} ({alias})"


def tables() -> Iterator[str]:
    if shutil.which("nft") is None:
        return
    listing = subprocess.run(["nft", "-j", "list", "tables"], stdout=subprocess.PIPE, check=True).stdout
    for item in json.loads(listing)["nftables"]:
        if "orc" in item.get("table", {}).get("name", ""):
            yield f"nftables table {item['table']['family']} {item['table']['name']}"


def homes() -> Iterator[str]:
    for path in SYSTEM_HOMES:
        for found in Path(path).glob("**/*") if Path(path).is_dir() else ():
            yield f"file {found}"


def settings() -> Iterator[str]:
    for path in SETTINGS:
        yield f"{path} is {Path(path).read_text().strip()}"
