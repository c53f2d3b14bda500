"""The way out of the home's network: a program that passes on in user space what is sent there.

pasta(1) of the package passt copies the host's addresses and routes into the network, and ends with it. Where it is
missing, slirp4netns(1) gives the network an address of its own. No port leads in, since the keeper's relays do that,
and nothing leads to the host's own loopback interface.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal

from orchestra.linux import process

INSTALL = "sudo apt install passt on Debian and Ubuntu, sudo dnf install passt on Fedora, sudo pacman -S passt on Arch"
PASTA, SLIRP = "pasta", "slirp4netns"
PROGRAMS = (PASTA, SLIRP)
"""The first one that there is."""
NAMES = (*PROGRAMS, "pasta.avx2")
TO_PASTA = ("--config-net", "--no-map-gw", "--quiet", "-t", "none", "-u", "none", "-T", "none", "-U", "none")
TO_SLIRP = ("--configure", "--mtu=65520", "--disable-host-loopback", "--netns-type=path")
READY_FD = 3
NOTHING = "containers reach nothing outside this machine: {}"


def find_program() -> str | None:
    return next((program for program in PROGRAMS if shutil.which(program)), None)


def connect(network: str) -> list[str]:
    """Start it unless it runs; returns when it works. network: where the namespace is mounted.

    Returns sentences about what is missing.
    """
    program = find_program()
    if program is None:
        return [NOTHING.format(f"neither pasta nor slirp4netns is installed ({INSTALL})")]
    if any(_is_installed(f"/proc/{found.pid}/exe") for found in _find(network)):
        return []
    reason = (_start_pasta if program == PASTA else _start_slirp)(network)
    return [NOTHING.format(f"{program} ended: {reason}")] if reason else []


def disconnect(network: str) -> None:
    """End all that run for a network at this path, also for an earlier one. Returns when they have ended."""
    for found in _find(network):
        with contextlib.suppress(PermissionError):
            process.kill_and_wait(found)


def _start_pasta(network: str) -> str:
    """It goes on in the background once it works. Returns why it does not; empty if it does."""
    said = os.memfd_create("pasta")
    try:
        child = _spawn([PASTA, *TO_PASTA, "--netns", network], {1: said, 2: said})
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        text = os.pread(said, 4096, 0).decode(errors="replace").strip()
    finally:
        os.close(said)
    return "" if code == 0 else text.splitlines()[-1] if text else f"exit code {code}"


def _start_slirp(network: str) -> str:
    """It stays a child of this process. Returns why it does not work; empty if it does."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        child = _spawn([SLIRP, *TO_SLIRP, f"--ready-fd={READY_FD}", network, "tap0"], {READY_FD: writer})
        os.close(writer)
        if not os.read(reader, 1):
            os.waitpid(child, 0)
            return "the keeper's log has the reason"
    finally:
        os.close(reader)
    return ""


def _spawn(words: list[str], descriptors: dict[int, int]) -> int:
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        *((os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in descriptors.items()),
    ]
    # One that inherits an ignored SIGPIPE takes that for an error of its own.
    return os.posix_spawnp(words[0], words, os.environ, file_actions=actions, setsigdef=[signal.SIGPIPE])


def _find(network: str) -> list[process.Process]:
    """By arguments: a keeper that was killed while it started the program has noted its number nowhere."""
    wanted, found = os.fsencode(network), []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            program, *arguments = file.read().split(b"\0")
            if wanted in arguments and os.path.basename(program).decode(errors="replace") in NAMES:
                found.append(process.identify(int(pid)))
    return found


def _is_installed(executable: str) -> bool:
    """Whether it is a program of this machine: one in a container may imitate the arguments.

    False for one that belongs to namespaces of the home that are gone: it may not be looked into.
    """
    with contextlib.suppress(OSError):
        here = os.stat(executable).st_dev
        return any(path is not None and os.stat(path).st_dev == here for path in map(shutil.which, PROGRAMS))
    return False
