"""The system call filter of a bundle, compiled from its configuration once per profile."""

from __future__ import annotations

import functools
import json
import sys
from typing import Any

from orchestra.errors import FatalError
from orchestra.linux import whole_files
from orchestra.linux.security import libseccomp

FILE = "seccomp.bpf"


def store_filter(config: dict[str, Any], directory: str) -> str:
    """Write the filter of ``linux.seccomp`` into the bundle. Returns the name of its file, or '' without one.

    Without libseccomp the container runs unfiltered: ``linux.seccomp`` is removed from ``config``, with one warning.
    """
    profile = config["linux"].get("seccomp")
    if profile is None:
        return ""
    if not libseccomp.is_installed():
        del config["linux"]["seccomp"]
        _warn()
        return ""
    program = compile_filter(profile)
    whole_files.write(f"{directory}/{FILE}", program)
    return FILE


def compile_filter(profile: dict[str, Any]) -> bytes:
    """Raises FatalError if this is not a profile."""
    try:
        return _compile(json.dumps(profile, sort_keys=True))
    except OSError as error:
        raise FatalError(f"the seccomp profile cannot be compiled: {error}", hint="correct the profile") from error


@functools.lru_cache(maxsize=64)
def _compile(profile: str) -> bytes:
    """Cached by the text itself, which identifies a profile."""
    return libseccomp.compile_profile(json.loads(profile))


@functools.cache
def _warn() -> None:
    message = "libseccomp is not installed: containers run without a seccomp filter"
    print(message, file=sys.stderr, flush=True)
