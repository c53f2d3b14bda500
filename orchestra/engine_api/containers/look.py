"""Looking at containers: list, inspect, stats, changes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from orchestra.engine_api.containers.shape import details, health_of, labels_of, state_of, summary
from orchestra.engine_api.errors import bad_request, conflict
from orchestra.engine_api.exchange import wait_readable
from orchestra.engine_api.filters import parse_filters
from orchestra.engine_api.moment import NEVER
from orchestra.errors import OrchestraError
from orchestra.model.log import render_moment
from orchestra.stacks.filters import has_labels, is_one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from orchestra.engine_api.exchange import Exchange
    from orchestra.engine_api.world import Found, World

FILTERS = frozenset(
    (
        *("ancestor", "before", "expose", "exited", "health", "id", "isolation", "is-task", "label", "label!"),
        *("name", "network", "publish", "since", "status", "volume"),
    )
)
SECOND = 1.0
NANOSECONDS = 1_000_000_000


def list_containers(world: World, exchange: Exchange) -> None:
    request = exchange.request
    filters = parse_filters(request.query.get("filters", ""), FILTERS)
    shows_all = request.flag("all") or bool(filters.get("status") or filters.get("exited"))
    limit = request.number("limit") or 0
    shows_all = shows_all or limit > 0 or "before" in filters or "since" in filters
    found = [each for each in world.containers() if (shows_all or each.runs or world.is_restarting(each))]
    found = _filter(world, found, filters)
    found.sort(key=lambda each: each.container.created_at, reverse=True)
    now = time.time()
    rows = []
    for each in found[:limit] if limit > 0 else found:
        row = summary(details(world, each), now, each.container.created_at)
        if request.flag("size"):
            row["SizeRw"] = row["SizeRootFs"] = _written(world, each)
        if not filters.get("network") or any(_is_in(row, word) for word in filters["network"]):
            rows.append(row)
    exchange.answer(rows)


def _is_in(row: Mapping[str, Any], word: str) -> bool:
    networks = row["NetworkSettings"]["Networks"]
    return word in networks or any(each["NetworkID"].startswith(word) for each in networks.values())


def _filter(world: World, found: Sequence[Found], filters: Mapping[str, list[str]]) -> list[Found]:
    before, since = (
        min((world.find(word).container.created_at for word in filters.get(key, ())), default=None)
        for key in ("before", "since")
    )
    images = _images_of(world, filters.get("ancestor", ()))
    return [
        each
        for each in found
        if _fits(world, each, filters)
        and (before is None or each.container.created_at < before)
        and (since is None or each.container.created_at > since)
        and (not filters.get("ancestor") or each.container.image_digest in images or each.container.image in images)
    ]


def _fits(world: World, found: Found, filters: Mapping[str, list[str]]) -> bool:
    if (filters.get("label") or filters.get("label!")) and not has_labels(filters, labels_of(found)):
        return False
    tests: dict[str, Callable[[str], bool]] = {
        "id": found.id.startswith,
        "name": lambda text: _matches(text, found.name),
        "status": lambda text: text == state_of(world, found),
        "health": lambda text: text == health_of(found),
        "exited": lambda text: text == str(found.exit_code) and state_of(world, found) == "exited",
        "volume": lambda text: _mounts(world, found, text),
        "publish": lambda text: _publishes(found, text),
        "expose": lambda text: _exposes(found, text),
    }
    return all(is_one_of(filters, key, fits) for key, fits in tests.items())


def _images_of(world: World, words: Sequence[str]) -> set[str]:
    from orchestra.stacks.images.library import open_library

    found: set[str] = set(words)
    for word in words:
        try:
            item = open_library(world.context).find(word)
        except OrchestraError:
            continue
        found |= {item.entry.digest, item.id, item.entry.reference}
    return found


def _matches(pattern: str, name: str) -> bool:
    import re

    try:
        return re.search(pattern, name) is not None or re.search(pattern, f"/{name}") is not None
    except re.error as error:
        raise bad_request(f"invalid filter 'name={pattern}': {error}") from error


def _mounts(world: World, found: Found, word: str) -> bool:
    return any(
        word in (each.get("Name"), each["Destination"], each["Source"]) for each in world.inspect(found)["Mounts"]
    )


def _publishes(found: Found, word: str) -> bool:
    number = word.partition("/")[0]
    return any(row.rpartition("->")[0].rpartition(":")[2] == number for row in found.container.ports)


def _exposes(found: Found, word: str) -> bool:
    wanted = word if "/" in word else f"{word}/tcp"
    inside = [row.rpartition("->")[2] for row in found.container.ports]
    return wanted in (*found.container.exposed, *inside)


def inspect_container(world: World, exchange: Exchange) -> None:
    found = world.find(exchange.parameters["name"])
    shown = details(world, found)
    if exchange.request.flag("size"):
        shown["SizeRw"] = shown["SizeRootFs"] = _written(world, found)
    exchange.answer(shown)


def _written(world: World, found: Found) -> int:
    from orchestra.driver.local.details import written_size

    return written_size(world.context.home, found.home, found.container.name)


def need_running(found: Found) -> int:
    """Its first process. Raises ApiError."""
    from orchestra.model.observed import Running

    if not isinstance(found.container.status, Running):
        raise conflict(f"container {found.id} is not running")
    return found.container.status.pid


def stats(world: World, exchange: Exchange) -> None:
    """With ``stream``, a document a second until the client leaves or the container is gone."""
    request, found = exchange.request, world.find(exchange.parameters["name"])
    if not request.flag("stream", default=True):
        earlier = _measure(found)
        if not request.flag("one-shot"):
            time.sleep(SECOND)
        exchange.answer(_stats(found, earlier, _measure(found)))
        return
    before: dict[str, Any] = {}
    with exchange.stream() as writer:
        now: Found | None = found
        while now is not None and not writer.is_gone:
            measured = _measure(now)
            writer.document(_stats(now, before, measured))
            before = measured
            if wait_readable(writer, seconds=SECOND):
                return
            now = world.look_again(found)


def _measure(found: Found) -> dict[str, Any]:
    from orchestra.driver.local.usage import find_group, measure
    from orchestra.model.observed import Running

    status = found.container.status
    if not isinstance(status, Running):
        return {}
    usage = measure(find_group(found.home, found.container.name), status.pid)
    return {
        "read": render_moment(time.time()),
        "cpu": {
            "cpu_usage": {
                "total_usage": usage.processor,
                "usage_in_kernelmode": 0,
                "usage_in_usermode": usage.processor,
            },
            "system_cpu_usage": _processor_time(),
            "online_cpus": os.cpu_count() or 1,
            "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
        },
        "memory": {"usage": usage.memory, "limit": usage.memory_limit, "stats": {}},
        "networks": {"eth0": {"rx_bytes": usage.received, "tx_bytes": usage.sent}},
        "blkio": [
            {"major": 0, "minor": 0, "op": word, "value": value or 0}
            for word, value in (("read", usage.read), ("write", usage.written))
        ],
        "pids": usage.processes,
    }


def _processor_time() -> int:
    """Nanoseconds of all processors since boot, idle or not (proc_stat(5))."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = file.readline().split()[1:9]
    return sum(map(int, fields)) * NANOSECONDS // os.sysconf("SC_CLK_TCK")


def _stats(found: Found, before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    empty = {"cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0}}
    traffic = {"rx_packets": 0, "rx_errors": 0, "rx_dropped": 0, "tx_packets": 0, "tx_errors": 0, "tx_dropped": 0}
    shown = {
        "id": found.id,
        "name": f"/{found.name}",
        "read": now.get("read", NEVER),
        "preread": before.get("read", NEVER),
        "num_procs": 0,
        "pids_stats": {"current": now["pids"]} if now else {},
        "blkio_stats": {"io_service_bytes_recursive": now["blkio"] if now else None},
        "storage_stats": {},
        "cpu_stats": now.get("cpu", empty),
        "precpu_stats": before.get("cpu", empty),
        "memory_stats": now.get("memory", {}),
    }
    if now:
        shown["networks"] = {name: {**traffic, **counts} for name, counts in now["networks"].items()}
    return shown


def changes(world: World, exchange: Exchange) -> None:
    """null without any, as Docker has it."""
    from orchestra.engine_api.containers.written import find_changes

    exchange.answer(find_changes(world.context.home, world.find(exchange.parameters["name"])) or None)
