"""Endpoints about the engine itself: version, info, events, disk usage, authentication."""

from __future__ import annotations

import os
import platform
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from orchestra import __version__
from orchestra.engine_api.errors import ApiError, absent
from orchestra.engine_api.exchange import NEWEST, OLDEST
from orchestra.engine_api.filters import parse_filters
from orchestra.engine_api.moment import parse_moment
from orchestra.model.log import render_moment
from orchestra.stacks.filters import has_labels, is_one_of
from orchestra.stacks.images.library import open_library

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.engine_api.event_hub import ApiEvent
    from orchestra.engine_api.exchange import Exchange
    from orchestra.engine_api.world import World

PATIENCE = 5.0
"""Seconds after which a listener's connection is looked at."""
EVENT_FILTERS = (
    *("config", "container", "daemon", "event", "image", "label", "network"),
    *("node", "plugin", "scope", "secret", "service", "type", "volume"),
)
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def ping(_world: World, exchange: Exchange) -> None:
    exchange.text("OK", [("Cache-Control", "no-cache, no-store, must-revalidate"), ("Pragma", "no-cache")])


def version(_world: World, exchange: Exchange) -> None:
    machine = os.uname()
    shown = {
        "ApiVersion": f"{NEWEST[0]}.{NEWEST[1]}",
        "MinAPIVersion": f"{OLDEST[0]}.{OLDEST[1]}",
        "Arch": ARCHITECTURES.get(machine.machine, machine.machine),
        "BuildTime": "",
        "Experimental": "false",
        "GitCommit": "",
        "GoVersion": "",
        "KernelVersion": machine.release,
        "Os": "linux",
    }
    exchange.answer(
        {
            "Platform": {"Name": "Orchestra"},
            "Version": __version__,
            **shown,
            "Experimental": False,
            "Components": [{"Name": "Engine", "Version": __version__, "Details": shown}],
        }
    )


def info(world: World, exchange: Exchange) -> None:
    states = list(world.containers())
    paused, running = (sum(each.is_paused for each in states), sum(each.runs for each in states))
    library, machine = open_library(world.context), os.uname()
    exchange.answer(
        {
            "ID": f"orchestra:{world.context.home.data}",
            "Name": machine.nodename,
            "Containers": len(states),
            "ContainersRunning": running - paused,
            "ContainersPaused": paused,
            "ContainersStopped": len(states) - running,
            "Images": len({item.id for item in library.items()}),
            "Driver": "overlay2",
            "DriverStatus": [],
            "Plugins": {
                "Volume": ["local"],
                "Network": ["bridge", "host", "ipvlan", "macvlan", "null"],
                "Authorization": None,
                "Log": ["json-file", "local", "none"],
            },
            "MemoryLimit": True,
            "SwapLimit": True,
            "CpuCfsPeriod": True,
            "CpuCfsQuota": True,
            "CPUShares": True,
            "CPUSet": True,
            "PidsLimit": True,
            "OomKillDisable": False,
            "IPv4Forwarding": True,
            "BridgeNfIptables": False,
            "BridgeNfIp6tables": False,
            "Debug": False,
            "NFd": len(os.listdir("/proc/self/fd")),
            "NGoroutines": 0,
            "SystemTime": render_moment(time.time()),
            "LoggingDriver": "json-file",
            "CgroupDriver": "cgroupfs",
            "CgroupVersion": "2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "1",
            "NEventsListener": 0,
            "KernelVersion": machine.release,
            "OperatingSystem": _system_name(),
            "OSVersion": "",
            "OSType": "linux",
            "Architecture": machine.machine,
            "NCPU": os.cpu_count() or 1,
            "MemTotal": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            "IndexServerAddress": "https://index.docker.io/v1/",
            "RegistryConfig": {"IndexConfigs": {}, "InsecureRegistryCIDRs": [], "Mirrors": []},
            "DockerRootDir": world.context.home.data,
            "HttpProxy": "",
            "HttpsProxy": "",
            "NoProxy": "",
            "Labels": [],
            "ExperimentalBuild": False,
            "ServerVersion": __version__,
            "Runtimes": {"runc": {"path": "orchestra-runtime"}},
            "DefaultRuntime": "runc",
            "Swarm": {"LocalNodeState": "inactive", "ControlAvailable": False, "NodeID": "", "NodeAddr": ""},
            "LiveRestoreEnabled": True,
            "Isolation": "",
            "InitBinary": "",
            "ContainerdCommit": {"ID": "", "Expected": ""},
            "RuncCommit": {"ID": "", "Expected": ""},
            "InitCommit": {"ID": "", "Expected": ""},
            "SecurityOptions": ["name=seccomp,profile=builtin"],
            "Warnings": None,
        }
    )


def _system_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def events(world: World, exchange: Exchange) -> None:
    """Past events from the files of the stacks, then new ones until ``until``, or until the client leaves."""
    query, now = exchange.request.query, time.time()
    filters = parse_filters(query.get("filters", ""), EVENT_FILTERS)
    since, until = (
        parse_moment("since", query.get("since", ""), now),
        parse_moment("until", query.get("until", ""), now),
    )
    with world.events.listener() as listener, exchange.stream() as writer:
        told: set[tuple[str, str, str, int]] = set()
        if since is not None:
            for event in world.events.past(since, now if until is None else min(until, now)):
                told.add(_key(event))
                if _fits(event, filters):
                    writer.document(event.render())
        while not listener.is_cut_off:
            left = None if until is None else until - time.time()
            if left is not None and left <= 0:
                return
            found = listener.get(PATIENCE if left is None else min(PATIENCE, left))
            if found is None:
                if writer.is_gone:
                    return
            elif found.kind and _key(found) not in told and _fits(found, filters):
                writer.document(found.render())


def _key(event: ApiEvent) -> tuple[str, str, str, int]:
    return event.kind, event.action, event.id, int(event.at * 1000)


def _fits(event: ApiEvent, filters: Mapping[str, list[str]]) -> bool:
    attributes = event.attributes
    word = event.action.partition(":")[0]

    def names(kind: str) -> bool:
        """A filter by the name of a thing also hides all other kinds of things."""
        if not filters.get(kind):
            return True
        mine = event.kind == kind or kind in attributes
        return mine and any(
            event.id.startswith(text) or text in (attributes.get("name"), attributes.get(kind))
            for text in filters[kind]
        )

    return (
        is_one_of(filters, "type", event.kind.__eq__)
        and is_one_of(filters, "event", lambda text: text in (event.action, word))
        and is_one_of(filters, "scope", "local".__eq__)
        and has_labels(filters, attributes)
        and all(map(names, ("container", "image", "network", "volume")))
        and not any(filters.get(kind) for kind in ("config", "daemon", "node", "plugin", "secret", "service"))
    )


def disk(world: World, exchange: Exchange) -> None:
    from orchestra.engine_api.containers.shape import details, summary
    from orchestra.engine_api.images.look import names_of
    from orchestra.engine_api.volumes import shape
    from orchestra.stacks.disk import measure_disk
    from orchestra.stacks.host_volumes import list_volumes

    measured, now = measure_disk(world.context), time.time()
    written = {each.container["id"]: each.size for each in measured.containers}
    sizes = {each.name: each for each in measured.volumes}
    images = []
    for use in measured.images:
        tags, digests = names_of(use.items)
        images.append(
            {
                "Id": use.items[0].id,
                "ParentId": "",
                "RepoTags": tags,
                "RepoDigests": digests,
                "Created": int(parse_moment("", use.items[0].created, 0.0) or 0),
                "Size": use.size,
                "SharedSize": use.shared,
                "Labels": None,
                "Containers": use.containers,
            }
        )
    containers = [
        {**summary(details(world, each), now, each.container.created_at), "SizeRw": written.get(each.id, 0)}
        for each in world.containers()
    ]
    volumes = []
    for volume in list_volumes(world.context):
        use_of = sizes.get(volume.name)
        usage = {"Size": use_of.size if use_of else -1, "RefCount": use_of.containers if use_of else 0}
        volumes.append({**shape(volume), "UsageData": usage})
    exchange.answer(
        {
            "LayersSize": sum(row["Size"] for row in images),
            "Images": images,
            "Containers": containers,
            "Volumes": volumes,
            "BuildCache": [],
        }
    )


def authenticate(_world: World, exchange: Exchange) -> None:
    """Clients keep credentials themselves, and send them with each request: a registry refuses those that are wrong."""
    exchange.document()
    exchange.answer({"Status": "Login Succeeded", "IdentityToken": ""})


def no_swarm(_world: World, _exchange: Exchange) -> None:
    raise ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to '
        "swarm and try again.",
    )


def no_session(_world: World, _exchange: Exchange) -> None:
    raise absent("this engine has no BuildKit session; set DOCKER_BUILDKIT=0 to build through this socket")


def no_plugins(_world: World, exchange: Exchange) -> None:
    exchange.answer([])


def prune_builds(world: World, exchange: Exchange) -> None:
    pruned = open_library(world.context).prune(build_cache=True)
    exchange.answer({"CachesDeleted": None, "SpaceReclaimed": pruned.collected.size})
