"""The keys of steps: equal keys mean equal file trees, on every machine and for every version of Python.

Contents of secrets and caches, and proxies, are no part of them.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from orchestra.build.step import (
    BaseImage,
    BindMount,
    CacheMount,
    ContextFiles,
    Copy,
    Download,
    GitTree,
    MakeDirectory,
    Run,
)
from orchestra.record import Record, fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.build.step import Step

# Part of each key: another number makes all results unknown, for when a step begins to mean something else.
_VERSION = 1
# Fields that say only where files come from. They do not count once it is known what the files are.
_ORIGINS: dict[type, frozenset[str]] = {
    BaseImage: frozenset({"reference", "platform"}),
    ContextFiles: frozenset({"name"}),
    Copy: frozenset({"source"}),
    Download: frozenset({"url", "checksum"}),
    GitTree: frozenset({"url", "reference", "subdirectory", "checksum"}),
}
_STEPS = frozenset({"base", "source"})


def parents_of(step: Step) -> tuple[int, ...]:
    """The steps whose file trees a step uses, each once."""
    match step:
        case Copy():
            found = [step.base, step.source]
        case MakeDirectory():
            found = [step.base]
        case Run():
            sources = [mount.source for mount in step.mounts if isinstance(mount, BindMount | CacheMount)]
            found = [step.base, *(source for source in sources if source is not None)]
        case _:
            found = []
    return tuple(dict.fromkeys(found))


def step_key(step: Step, keys: Mapping[int, str], files: str = "") -> str:
    """A SHA-256 digest in hexadecimal.

    keys: those of its parents. files: a digest of the files that come from elsewhere (an image, a context, a URL, a Git
    repository), with their paths, modes and owners; for a Copy, of the files that it takes from its source, whose other
    files then do not count. Empty if they are not known.
    """
    ignored = _ORIGINS.get(type(step), frozenset()) if files else frozenset()
    said = [_VERSION, files, _said(step, keys, ignored)]
    return hashlib.sha256(json.dumps(said, separators=(",", ":"), sort_keys=True).encode()).hexdigest()


def _said(record: Record, keys: Mapping[int, str], ignored: frozenset[str] = frozenset()) -> dict[str, object]:
    said: dict[str, object] = {"kind": type(record).__name__}
    for name, value in fields(record).items():
        # A command without devices keeps the key that it had before there were any.
        if name in ignored or name == "proxies" or (name == "devices" and not value):
            continue
        if name in _STEPS and isinstance(value, int):
            said[name] = keys[value]
        else:
            said[name] = _value(value, keys)
    return said


def _value(value: object, keys: Mapping[int, str]) -> object:
    """Only what JSON writes in one way."""
    match value:
        case Record():
            return _said(value, keys)
        case bytes():
            return hashlib.sha256(value).hexdigest()
        case tuple():
            return [_value(item, keys) for item in value]
        case str():
            return str(value)  # without the class of an enum
        case _:
            return value
