"""``pause``, ``resume`` and ``update``: changing a running container."""

from __future__ import annotations

import json
import sys

from orchestra.command_line.read import Misused
from orchestra.linux.cgroup import freezer
from orchestra.oci_cli.container import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.oci_cli.arguments import Options
    from orchestra.oci_cli.context import Context

# Option: its place in ``linux.resources``.
SIZES = {
    "memory": ("memory", "limit"),
    "memory-swap": ("memory", "swap"),
    "memory-reservation": ("memory", "reservation"),
}
UNITS = {"b": 0, "k": 10, "m": 20, "g": 30, "t": 40}
NUMBERS = {
    "cpu-period": ("cpu", "period"),
    "cpu-quota": ("cpu", "quota"),
    "cpu-shares": ("cpu", "shares"),
    "pids-limit": ("pids", "limit"),
    "blkio-weight": ("blockIO", "weight"),
    "cpu-burst": ("cpu", "burst"),
    "cpu-idle": ("cpu", "idle"),
    "cpu-rt-period": ("cpu", "realtimePeriod"),
    "cpu-rt-runtime": ("cpu", "realtimeRuntime"),
}
WORDS = {"cpuset-cpus": ("cpu", "cpus"), "cpuset-mems": ("cpu", "mems")}


def pause_command(context: Context, _options: Options, words: list[str]) -> int:
    container = context.container(words[0])
    container.load()
    container.lock_existing()
    freezer.freeze(container.group_of(container.find_running("created", "running").record))
    return 0


def resume_command(context: Context, _options: Options, words: list[str]) -> int:
    container = context.container(words[0])
    container.load()
    container.lock_existing()
    freezer.thaw(container.group_of(container.find_running("paused").record))
    return 0


def update_command(context: Context, options: Options, words: list[str]) -> int:
    container = context.container(words[0])
    container.load()
    container.lock_existing()
    found = container.find_running("created", "running", "paused")
    config = container.directory.load("config.json")
    linux = config.setdefault("linux", {})
    linux["resources"] = _merged(linux.get("resources") or {}, _resources(options))
    # Existing values are applied again: in version 2 a limit of swap means nothing without that of memory.
    wanted = {name: value for name, value in linux["resources"].items() if name != "devices"}
    for warning in container.group_of(found.record).update(wanted):
        context.report.warning(warning)
    container.directory.store("config.json", config)
    context.report.debug(f"updated {describe(found, words[0])}")
    return 0


def _merged(before: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Key by key; devices cannot be changed."""
    merged = {**before}
    for name, value in change.items():
        if name != "devices":
            known = merged.get(name)
            merged[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def _resources(options: Options) -> dict[str, Any]:
    """From a file, completely; otherwise from the options."""
    source = options.value("resources")
    if source == "-":
        described: dict[str, Any] = json.load(sys.stdin)
        return described
    if source is not None:
        with open(source, "rb") as file:
            described = json.load(file)
        return described
    resources: dict[str, dict[str, Any]] = {}
    for name, (group, key) in SIZES.items():
        word = options.value(name)
        if word is not None:
            resources.setdefault(group, {})[key] = _size(name, word)
    memory = resources.get("memory", {})
    if memory.get("limit") == -1:
        memory.setdefault("swap", -1)  # memory and swap together must not be less than memory
    for name, (group, key) in NUMBERS.items():
        number = options.number(name)
        if number is not None:
            resources.setdefault(group, {})[key] = number
    for name, (group, key) in WORDS.items():
        word = options.value(name)
        if word is not None:
            resources.setdefault(group, {})[key] = word
    return resources


def _size(name: str, text: str) -> int:
    """Bytes, or a number with one of the units b, k, m, g and t; -1 for no limit."""
    number, unit = text.lower().removesuffix("ib").removesuffix("b"), ""
    if number and number[-1] in UNITS:
        number, unit = number[:-1], number[-1]
    try:
        return int(number) << UNITS.get(unit, 0) if not number.startswith("-") else -1
    except ValueError:
        raise Misused(f"--{name}: {text!r} is not a size such as 64m") from None
