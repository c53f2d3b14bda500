"""The whole translation to Swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.compose.render import escape
from orchestra.record import replace
from orchestra.translation.ledger import Given, Ledger
from orchestra.translation.plain import full, plain
from orchestra.translation.reading import links
from orchestra.translation.result import Translation
from orchestra.translation.swarm.files import file_objects
from orchestra.translation.swarm.reasons import REASONS
from orchestra.translation.swarm.service import service_object

if TYPE_CHECKING:
    from orchestra.translation.result import Object
    from orchestra.translation.source import Source

VERSION = "3.13"
_OF_A_VOLUME = ("name", "driver", "driver_opts", "external", "labels")
_OF_A_NETWORK = ("name", "driver_opts", "external", "internal", "attachable", "labels")
_EACH_NODE = "each node has a volume of its own: a container that moves finds it empty"
_SHARED = "constrain the service to one node, or name a driver that shares volumes"
_OVERLAY = "networks of a cluster are of the driver overlay"


def translate(source: Source) -> Translation:
    """One object, the stack file, and the files that it names. A ``$`` is doubled, since the command replaces it."""
    made = translate_plain(source)
    return replace(made, objects=tuple(map(escape, made.objects)))


def translate_plain(source: Source) -> Translation:
    """The same with each ``$`` as it is, for the API."""
    ledger = Ledger(source.place, REASONS)
    stack = Given(source.stack, (), ledger)
    given = {key: service for key, service in stack.entries("services").items() if service}
    linked = links(given)
    services = {
        key: service_object(key, service, source.stack.name or "", linked)
        for key, service in given.items()
        if service.peek("provider") is None
    }
    kinds = {kind: file_objects(kind, stack, source) for kind in ("configs", "secrets")}
    document: Object = {
        "version": VERSION,
        "services": services,
        **full(
            networks=_networks(stack, services),
            volumes={key: _volume(volume) for key, volume in stack.entries("volumes").items() if volume},
            **{kind: found.objects for kind, found in kinds.items()},
        ),
    }
    stack.take("name")
    stack.take("version")
    files = {name: content for found in kinds.values() for name, content in found.files.items()}
    return Translation((document,), ledger.settle(source.stack), files)


def _volume(volume: Given) -> Object:
    made: Object = plain({name: volume.take(name) for name in _OF_A_VOLUME})
    if not made.get("external") and made.get("driver") in (None, "local") and not made.get("driver_opts"):
        volume.ledger.approximate(volume.path, _EACH_NODE, _SHARED)
    return _by_name_only(made)


def _networks(stack: Given, services: dict[str, Object]) -> dict[str, Any]:
    used = {name for service in services.values() for name in service.get("networks", {})}
    found: dict[str, Any] = {}
    for key, network in stack.entries("networks").items():
        if network is None:
            continue
        made = plain({name: network.take(name) for name in _OF_A_NETWORK})
        driver = network.peek("driver")
        if driver in ("overlay", "bridge", None):
            network.take("driver")
        else:
            network.lose("driver", _OVERLAY)
        found[key] = _by_name_only(made | full(ipam=_ipam(network)))
    # Networks that every node has.
    for name in ("host", "none"):
        if name in used and name not in found:
            found[name] = {"external": True, "name": name}
    return found


def _by_name_only(made: Object) -> Object:
    """Nothing else may be said of what exists already."""
    return {"external": True, **full(name=made.get("name"))} if made.get("external") else made


def _ipam(network: Given) -> Object:
    ipam = network.below("ipam")
    if ipam is None:
        return {}
    subnets = [pool.take("subnet") for pool in ipam.each("config")]
    return full(driver=ipam.take("driver"), config=[{"subnet": subnet} for subnet in subnets if subnet])
