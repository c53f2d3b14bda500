"""What a run of the tests has on this machine right now, as a set of sentences: taken before and after, and compared.

Looks for traces rather than asking Orchestra, so that what its own books have forgotten is found too.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.run import OF_A_HOME, OF_A_RUN, all_groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.run import Run

HOMES = ("/var/lib/orchestra", "/run/orchestra", "/run/orchestra-runtime")
SETTINGS = ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/conf/all/forwarding")


def take(run: Run) -> frozenset[str]:
    """Processes and control groups of this run, and all that is worth comparing in its namespaces where it has its own.

    Without those (``tests.apart``) it has no privilege to make mounts, interfaces or packet rules either.
    """
    apart = (mounts, interfaces, tables, homes, temporary_files, settings) if run.is_apart() else ()
    return frozenset([*processes(run), *cgroups(run), *(line for look in apart for line in look())])


def processes(run: Run) -> Iterator[str]:
    """All of this run, without the one that asks."""
    return (f"process {pid}: {command}" for pid, command in run.processes())


def mounts() -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        yield f"mount {line.split()[4]}"


def cgroups(run: Run) -> Iterator[str]:
    """Without those of homes and runs that are not this run's, and the one above all of them, which all homes share."""
    for path in all_groups():
        if path.endswith("/orchestra"):
            continue
        if run.owns_group(path) or not (OF_A_HOME.search(path) or OF_A_RUN.search(path)):
            yield f"cgroup {path}"


def interfaces() -> Iterator[str]:
    for directory in Path("/sys/class/net").iterdir():
        alias = ""
        with contextlib.suppress(OSError):
            alias = (directory / "ifalias").read_text().strip()
        yield f"interface {directory.name} ({alias})"


def tables() -> Iterator[str]:
    if shutil.which("nft") is None:
        return
    listing = subprocess.run(["nft", "-j", "list", "tables"], stdout=subprocess.PIPE, check=True).stdout
    for item in json.loads(listing)["nftables"]:
        if "table" in item:
            yield f"nftables table {item['table']['family']} {item['table']['name']}"


def temporary_files() -> Iterator[str]:
    """Those that are named after the project. What pytest makes is named otherwise, and lies below."""
    for found in Path(tempfile.gettempdir()).glob("orchestra*"):
        yield f"file {found}"


def homes() -> Iterator[str]:
    for path in HOMES:
        for here, below, files in os.walk(path):
            for name in (*below, *files):
                yield f"file {here}/{name}"


def settings() -> Iterator[str]:
    for path in SETTINGS:
        yield f"{path} is {Path(path).read_text().strip()}"
