"""``pause``, ``resume`` and ``update``: what can be changed of a container that runs."""

from __future__ import annotations

import json
import sys

from orchestra.linux import freezer
from orchestra.runtime.container import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.runtime.arguments import Options
    from orchestra.runtime.context import Context

# Option: where it stands in ``linux.resources``.
NUMBERS = {
    "memory": ("memory", "limit"),
    "memory-swap": ("memory", "swap"),
    "memory-reservation": ("memory", "reservation"),
    "cpu-period": ("cpu", "period"),
    "cpu-quota": ("cpu", "quota"),
    "cpu-shares": ("cpu", "shares"),
    "pids-limit": ("pids", "limit"),
    "blkio-weight": ("blockIO", "weight"),
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
    for warning in container.group_of(found.record).update(_resources(options)):
        context.report.warning(warning)
    context.report.debug(f"updated {describe(found, words[0])}")
    return 0


def _resources(options: Options) -> dict[str, Any]:
    """A file says everything; otherwise each option something."""
    source = options.value("resources")
    if source == "-":
        described: dict[str, Any] = json.load(sys.stdin)
        return described
    if source is not None:
        with open(source, "rb") as file:
            described = json.load(file)
        return described
    resources: dict[str, dict[str, Any]] = {}
    for name, (group, key) in NUMBERS.items():
        number = options.number(name)
        if number is not None:
            resources.setdefault(group, {})[key] = number
    for name, (group, key) in WORDS.items():
        word = options.value(name)
        if word is not None:
            resources.setdefault(group, {})[key] = word
    return resources
