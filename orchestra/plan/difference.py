"""Which attributes of two definitions differ, in the words of the Compose file. Possible secrets are not shown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from orchestra.model.container import ContainerSpec, Endpoint, Port
from orchestra.model.limits import Device, DeviceValue, Ulimit
from orchestra.model.mount import ApiMount, BindMount, FileMount, ImageMount, TmpfsMount, VolumeMount
from orchestra.named_tuple import NamedTuple
from orchestra.record import Record, fields
from orchestra.regex import regex
from orchestra.units import format_bytes
from orchestra.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.model.desired import NetworkSpec

NOT_SHOWN = "(not shown)"
NOT_SET = "not set"
LIMIT = 80
"""The number of characters of a value that are shown."""

_READ_ONLY = ", read_only"
_NAMES = {
    "working_directory": "working_dir",
    "groups": "group_add",
    "mounts": "volumes",
    "endpoints": "networks",
    "dns_options": "dns_opt",
    "security_options": "security_opt",
    "healthcheck_disabled": "healthcheck.disable",
    "restart.policy": "restart",
    "restart.maximum_retries": "restart.max_attempts",
    "restart.delay": "deploy.restart_policy.delay",
    "restart.window": "deploy.restart_policy.window",
    "restart.unhealthy": "x-orchestra.restart",
    "logging.max_size": "logging.options.max-size",
    "logging.max_file": "logging.options.max-file",
    "driver_options": "driver_opts",
    "resources.memory": "mem_limit",
    "resources.memory_reservation": "mem_reservation",
    "resources.memory_swap": "memswap_limit",
    "resources.memory_swappiness": "mem_swappiness",
    "resources.oom_kill_disable": "oom_kill_disable",
    "resources.cpus": "cpus",
    "resources.cpu_quota": "cpu_quota",
    "resources.cpu_period": "cpu_period",
    "resources.realtime_runtime": "cpu_rt_runtime",
    "resources.realtime_period": "cpu_rt_period",
    "resources.cpu_shares": "cpu_shares",
    "resources.cpuset": "cpuset",
    "resources.pids": "pids_limit",
    "resources.block_io": "blkio_config",
    "resources.device_rules": "device_cgroup_rules",
}
"""The names of attributes in the file, by their names in the model, where they differ."""
_SIZES = frozenset({"mem_limit", "mem_reservation", "memswap_limit", "shm_size"})
_NOT_THE_DEFINITION = frozenset(
    {"name", "key", "service", "index", "config_hash", "rank", "location", "depends_on", "pull_policy", "attach"}
)
_OWN_LABELS = "com.docker.compose."
_WORDS = "pass|pwd|secret|token|key|cred|auth|private|salt|cookie|session|cert|signature|webhook|dsn"
_SENSITIVE = regex(_WORDS, re.IGNORECASE)
_SECRETS = (
    (regex(r"(://[^/\s:@]*:)[^/\s@]+@"), r"\1***@"),
    (regex(rf"([\w-]*(?:{_WORDS})[\w-]*=)[^\s;&|]+", re.IGNORECASE), r"\1***"),
    (regex(rf"(?<!\S)(--?[\w-]*(?:{_WORDS})[\w-]*\s+)[^\s-]\S*", re.IGNORECASE), r"\1***"),
)
"""Passwords in URLs, values of ``TOKEN=`` or ``--password=``, and the word after ``--password``."""


class Change(Record):
    """One attribute that differs. path: ``environment.DEBUG``; before and after: as shown, None if it is not set."""

    path: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """``environment.DEBUG: "0" → "1"``"""
        if self.before == self.after:
            return f"{self.path}: changed {NOT_SHOWN}"
        return f"{self.path}: {self.before or NOT_SET} → {self.after or NOT_SET}"


class _Value(NamedTuple):
    """The value to compare, and the text to show."""

    compared: object
    shown: str


def differences(before: ContainerSpec | NetworkSpec, after: ContainerSpec | NetworkSpec) -> tuple[Change, ...]:
    """Attributes of the definition that differ, in the order of their paths."""
    old, new = dict(_attributes(before)), dict(_attributes(after))
    changes: list[Change] = []
    for path in sorted(old.keys() | new.keys()):
        was, is_ = old.get(path), new.get(path)
        if (was and was.compared) != (is_ and is_.compared):
            changes.append(Change(visible(path), was and was.shown, is_ and is_.shown))
    return tuple(changes)


def _attributes(spec: ContainerSpec | NetworkSpec) -> Iterator[tuple[str, _Value]]:
    for name, value in fields(spec).items():
        if name not in _NOT_THE_DEFINITION:
            yield from _flatten(name, value)


def _flatten(path: str, value: Any) -> Iterator[tuple[str, _Value]]:
    """Yield every leaf that is set, with its path in the file."""
    if value is None or value in ("", (), False):
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not key.startswith(_OWN_LABELS):
                yield f"{_name(path)}.{key}", _Value(item, _shown(item, hidden=_is_sensitive(key)))
    elif isinstance(value, tuple) and isinstance(value[0], Record):
        for item in value:
            key, shown = _describe_item(item)
            compared = shown if isinstance(item, Port) else item  # a port's place in the file does not count
            is_declared = isinstance(item, BindMount | FileMount) and item.declared
            yield key if is_declared else f"{_name(path)}.{key}", _Value(compared, shown)
    elif isinstance(value, Record):
        for name, item in fields(value).items():
            yield from _flatten(f"{path}.{name}", item)
    else:
        name = _name(path)
        yield name, _Value(value, format_bytes(value) if name in _SIZES and value > 0 else _shown(value))


def _name(path: str) -> str:
    """The path in the file for ``path`` in the model."""
    if path in _NAMES:
        return _NAMES[path]
    head, dot, last = path.rpartition(".")
    return f"{_name(head)}.{last}" if dot else path


def _describe_item(item: object) -> tuple[str, str]:
    """For an item of a list whose entries have names: its name, and its text."""
    match item:
        case BindMount(declared=declared) | FileMount(declared=declared) if declared:
            return declared.replace(" ", "s.", 1), _shown(item.target)
        case BindMount():
            return item.target, _shown(item.source + _READ_ONLY * item.read_only)
        case VolumeMount():
            subpath = item.subpath and f", {item.subpath}"
            return item.target, _shown((item.name or "volume") + _READ_ONLY * item.read_only + subpath)
        case ImageMount():
            return item.target, _shown(f"image {item.image}" + (item.subpath and f", {item.subpath}"))
        case ApiMount():
            return item.target, _shown(f"API socket, {item.access}")
        case TmpfsMount():
            return item.target, _shown("tmpfs" + _READ_ONLY * item.read_only)
        case Port():
            published = "" if item.published is None else f"{item.published}:"
            host = f"[{item.host_ip}]:" if ":" in item.host_ip else item.host_ip and f"{item.host_ip}:"
            return f"{item.target}/{item.protocol}", _shown(f"{host}{published}{item.target}")
        case Endpoint():
            words = (*item.aliases, item.ipv4_address, item.ipv6_address, item.mac_address)
            return item.network, _shown(", ".join(word for word in words if word))
        case Device():
            return item.target, _shown(f"{item.source}:{item.permissions}")
        case Ulimit():
            return item.name, f"{item.soft}:{item.hard}"
        case DeviceValue():
            return item.path, str(item.value)
        case _:
            return "", _shown(str(item))


def _is_sensitive(name: str) -> bool:
    return _SENSITIVE.search(name) is not None


def _shown(value: object, *, hidden: bool = False) -> str:
    if hidden:
        return NOT_SHOWN
    if isinstance(value, tuple):
        return _shortened(json.dumps(_words(value), ensure_ascii=False, default=str))
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, str):
        return _shortened(json.dumps(_masked(value), ensure_ascii=False))
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _shortened(text: str) -> str:
    text = visible(text)
    return text if len(text) <= LIMIT else f"{text[: LIMIT - 3]}..."


def _masked(text: str) -> str:
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _words(words: tuple[Any, ...]) -> list[Any]:
    """The words of a command line as shown: the word after ``--password`` is hidden too."""
    shown: list[Any] = []
    follows = False
    for word in words:
        text = isinstance(word, str)
        shown.append("***" if follows and text and not word.startswith("-") else _masked(word) if text else word)
        follows = text and word.startswith("-") and not set(word) & {"=", " "} and _is_sensitive(word)
    return shown
