"""Hooks of an OCI configuration: programs that get the container's state on standard input.

OCI runtime spec, config, "POSIX-platform Hooks":

    on the host          prestart, createRuntime (namespaces and mounts are made), poststart, poststop
    in the container     createContainer (still on the host's root), startContainer
"""

from __future__ import annotations

import json
import os
import re
import signal
from errno import ECANCELED, EINVAL, ETIMEDOUT

from orchestra.linux import process
from orchestra.linux.readiness import readable
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from orchestra.container.configuration import Configuration, Hook

BEFORE_START = ("prestart", "createRuntime", "createContainer", "startContainer")
LAST_LENIENT = [1, 2, 0]
OUTPUT = 1000  # bytes of what a failed hook has written that go into the error


def wanted(config: Configuration, *kinds: str) -> bool:
    return any(config.hooks.get(kind) for kind in kinds)


def run(config: Configuration, kind: str, state: Mapping[str, Any]) -> None:
    """Run them in the order they are listed; the first that fails raises its error."""
    for hook in config.hooks.get(kind, ()):
        _run(hook, kind, state)


def run_all(config: Configuration, kind: str, state: Mapping[str, Any], warn: Callable[[str], None]) -> None:
    """Run all of them, even if some fail: a failure is only a warning."""
    for hook in config.hooks.get(kind, ()):
        try:
            _run(hook, kind, state)
        except OSError as error:
            warn(str(error))


def run_started(config: Configuration, state: Mapping[str, Any], warn: Callable[[str], None]) -> None:
    """Run ``poststart``. Up to version 1.2.0 of the specification (runtime, "Lifecycle") a failure is a warning and the
    container keeps running; since then it is an error, and the container must be stopped.
    """
    numbers = [int(number) for number in re.findall(r"\d+", config.oci_version)[:3]]
    if numbers > LAST_LENIENT:
        run(config, "poststart", state)
    else:
        run_all(config, "poststart", state, warn)


def _run(hook: Hook, kind: str, state: Mapping[str, Any]) -> None:
    path = hook.path
    if not path.startswith("/"):
        raise SystemCallError(EINVAL, f"{kind} hook", path, "the path must be absolute")
    process.close_on_exec_from(3)  # the container must not get descriptors that the caller has open
    told = os.memfd_create("state")
    said = os.memfd_create("output")
    try:
        os.write(told, json.dumps(state).encode())
        os.lseek(told, 0, os.SEEK_SET)
        try:
            pid = os.posix_spawn(
                path,
                list(hook.args) or [path],
                _environment(hook, kind),
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate((told, said, said))],
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGCHLD),
                setpgroup=0,
            )
        except OSError as error:
            raise SystemCallError(error.errno or EINVAL, f"{kind} hook", path) from error
        code = _wait(pid, hook.timeout)
        if code:
            text = os.pread(said, OUTPUT, max(0, os.fstat(said).st_size - OUTPUT)).decode(errors="replace").strip()
            number, reason = (ECANCELED, f"it ended with {code}") if code > 0 else (ETIMEDOUT, "it took too long")
            raise SystemCallError(number, f"{kind} hook", path, f"{reason}: {text}" if text else reason)
    finally:
        os.close(told)
        os.close(said)


def _environment(hook: Hook, kind: str) -> dict[str, str]:
    """The runtime's own environment if the hook sets none, as in runc and crun; never for a program in a container."""
    words = hook.env
    if words is None and kind != "startContainer":
        return dict(os.environ)
    return dict(word.partition("=")[::2] for word in words or ())


def _wait(pid: int, seconds: float | None) -> int:
    """Its exit code; -1 if it timed out. Then it was killed, with everything it had started."""
    pidfd = os.pidfd_open(pid)
    try:
        ended = readable(pidfd, seconds)
    finally:
        os.close(pidfd)
    if not ended:
        os.killpg(pid, signal.SIGKILL)
    code = process.exit_code(os.waitpid(pid, 0)[1])
    return code if ended else -1
