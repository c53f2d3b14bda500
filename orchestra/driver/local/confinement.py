"""The system call filter of a bundle, compiled from its configuration once per profile."""

from __future__ import annotations

import functools
import json
import sys
from typing import Any

from orchestra.container.confinement import NOTIFY
from orchestra.driver.local import remembered_filters
from orchestra.errors import FatalError
from orchestra.linux import whole_files
from orchestra.linux.security import libseccomp

FILE = "seccomp.bpf"


def store_filter(config: dict[str, Any], directory: str, remembered: str = "", *, whole: bool = False) -> str:
    """Write the filter of ``linux.seccomp`` into the bundle. Returns the name of its file, or '' without one.

    remembered: the directory of ``remembered_filters``, '' for none. whole: leave the profile in ``config``, for
    another runtime, which compiles it itself. Ours reads no rules but those that ask a process; the rest would be
    more than half of the configuration, which is parsed four times, and which the shim keeps.

    Without libseccomp the container runs unfiltered: ``linux.seccomp`` is removed from ``config``, with one warning.
    """
    profile = config["linux"].get("seccomp")
    if profile is None:
        return ""
    if not libseccomp.is_installed():
        del config["linux"]["seccomp"]
        _warn()
        return ""
    program = compile_filter(profile, remembered)
    if not whole:
        asking = [rule for rule in profile.get("syscalls") or () if rule.get("action") == NOTIFY]
        config["linux"]["seccomp"] = {**profile, "syscalls": asking}
    whole_files.write(f"{directory}/{FILE}", program)
    return FILE


def compile_filter(profile: dict[str, Any], remembered: str = "") -> bytes:
    """Raises FatalError if this is not a profile."""
    text = json.dumps(profile, sort_keys=True)
    program = _compiled.get(text)
    if program is None:
        known = remembered_filters.load(remembered, text) if remembered else None
        program = _compiled[text] = known or _compile(profile, remembered, text)
    return program


_compiled: dict[str, bytes] = {}
"""By the profile's text."""


def _compile(profile: dict[str, Any], remembered: str, text: str) -> bytes:
    try:
        program = libseccomp.compile_profile(profile)
    except OSError as error:
        raise FatalError(f"the seccomp profile cannot be compiled: {error}", hint="correct the profile") from error
    if remembered:
        remembered_filters.store(remembered, text, program)
    return program


@functools.cache
def _warn() -> None:
    message = "libseccomp is not installed: containers run without a seccomp filter"
    print(message, file=sys.stderr, flush=True)
