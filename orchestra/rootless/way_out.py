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
TO_PASTA = ("--config-net", "--no-map-gw", "--quiet", "-t", "none", "-u", "none", "-T", "none", "-U", "none")
TO_SLIRP = ("--configure", "--mtu=65520", "--disable-host-loopback", "--netns-type=path")
READY_FD = 3
NOTHING = "containers reach nothing outside this machine: {}"


def find_program() -> str | None:
    return next((program for program in PROGRAMS if shutil.which(program)), None)


def connect(directory: str, network: str) -> list[str]:
    """Start it unless it runs; returns when it works. network: where the namespace is mounted.

    Returns sentences about what is missing.
    """
    if _find(directory) is not None:
        return []
    program = find_program()
    if program is None:
        return [NOTHING.format(f"neither pasta nor slirp4netns is installed ({INSTALL})")]
    reason = (_start_pasta if program == PASTA else _start_slirp)(directory, network)
    return [NOTHING.format(f"{program} ended: {reason}")] if reason else []


def disconnect(directory: str) -> None:
    """End it if it runs."""
    found = _find(directory)
    if found is not None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(found, signal.SIGTERM)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_pid_file(directory))


def _start_pasta(directory: str, network: str) -> str:
    """It goes on in the background once it works. Returns why it does not; empty if it does."""
    said = os.memfd_create("pasta")
    try:
        child = _spawn([PASTA, *TO_PASTA, "--pid", _pid_file(directory), "--netns", network], {1: said, 2: said})
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        text = os.pread(said, 4096, 0).decode(errors="replace").strip()
    finally:
        os.close(said)
    return "" if code == 0 else text.splitlines()[-1] if text else f"exit code {code}"


def _start_slirp(directory: str, network: str) -> str:
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
    with open(_pid_file(directory), "w", encoding="ascii") as file:
        file.write(f"{child}\n")
    return ""


def _spawn(words: list[str], descriptors: dict[int, int]) -> int:
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        *((os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in descriptors.items()),
    ]
    # One that inherits an ignored SIGPIPE takes that for an error of its own.
    return os.posix_spawnp(words[0], words, os.environ, file_actions=actions, setsigdef=[signal.SIGPIPE])


def _find(directory: str) -> process.Process | None:
    """The process of the file, if it is one of these programs: the number may be another's by now."""
    with contextlib.suppress(OSError, ValueError):
        with open(_pid_file(directory), encoding="ascii") as file:
            found = process.identify(int(file.read()))
        if os.readlink(f"/proc/{found.pid}/exe").split("/")[-1].startswith((PASTA, "passt", SLIRP)):
            return found
    return None


def _pid_file(directory: str) -> str:
    return f"{directory}/way-out.pid"
