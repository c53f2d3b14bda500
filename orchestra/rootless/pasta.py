"""The way out of the home's network: pasta(1) of the package passt copies the host's addresses and routes into it, and
passes on in user space what is sent there. It ends with the network namespace.
"""

from __future__ import annotations

import contextlib
import os
import signal

from orchestra.linux import process

PROGRAM = "pasta"
INSTALL = "sudo apt install passt on Debian and Ubuntu, sudo dnf install passt on Fedora, sudo pacman -S passt on Arch"
# No port leads in, since the keeper's relays do that. Nothing leads to the host's own loopback interface.
ARGUMENTS = ("--config-net", "--no-map-gw", "--quiet", "-t", "none", "-u", "none", "-T", "none", "-U", "none")


def connect(directory: str, network: str) -> list[str]:
    """Start it unless it runs; returns when it works. network: where the namespace is mounted.

    Returns sentences about what is missing.
    """
    if _find(directory) is not None:
        return []
    said = os.memfd_create("pasta")
    try:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, said, 1),
            (os.POSIX_SPAWN_DUP2, said, 2),
        ]
        words = [PROGRAM, *ARGUMENTS, "--pid", _pid_file(directory), "--netns", network]
        try:
            # One that inherits an ignored SIGPIPE takes that for an error of its own.
            child = os.posix_spawnp(PROGRAM, words, os.environ, file_actions=actions, setsigdef=[signal.SIGPIPE])
        except FileNotFoundError:
            return [f"containers reach nothing outside this machine: pasta is not installed ({INSTALL})"]
        # What it has started goes on in the background.
        if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            text = os.pread(said, 4096, 0).decode(errors="replace").strip()
            reason = text.splitlines()[-1] if text else f"exit code {code}"
            return [f"containers reach nothing outside this machine: pasta ended: {reason}"]
        return []
    finally:
        os.close(said)


def disconnect(directory: str) -> None:
    """End it if it runs."""
    found = _find(directory)
    if found is not None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(found, signal.SIGTERM)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_pid_file(directory))


def _find(directory: str) -> process.Process | None:
    """The process of the file, if it is one of that program: the number may be another's by now."""
    with contextlib.suppress(OSError, ValueError):
        with open(_pid_file(directory), encoding="ascii") as file:
            found = process.identify(int(file.read()))
        if os.readlink(f"/proc/{found.pid}/exe").split("/")[-1].startswith(("pasta", "passt")):
            return found
    return None


def _pid_file(directory: str) -> str:
    return f"{directory}/pasta.pid"
