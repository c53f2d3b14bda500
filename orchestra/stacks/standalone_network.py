"""``network create``: a network that no stack file declares.

It is a stack of its own that declares nothing else, so a supervisor keeps it converged as it does any other network.
"""

from __future__ import annotations

import hashlib
import json
import os
import time

from orchestra.driver import Part
from orchestra.errors import FileError, UserError
from orchestra.model.codec import encode
from orchestra.model.request import UpRequest
from orchestra.model.result import UpResult
from orchestra.record import Record, replace
from orchestra.regex import regex
from orchestra.stacks.assignments import read_assignments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from orchestra.model.desired import Desired, NetworkSpec
    from orchestra.model.result import DownResult
    from orchestra.stacks.context import Context

NAME = regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
PREFIX = "network-"
_AS_IN_A_STACK_NAME = regex(r"[a-z0-9_-]+")


class NewNetwork(Record):
    """As ``docker network create`` takes it. labels: ``KEY=VALUE`` or ``KEY``; options: ``KEY=VALUE`` of the driver.

    gateways, ip_ranges, aux_addresses (``NAME=ADDRESS``): each belongs to the subnet that contains it.
    """

    name: str
    driver: str = "bridge"
    subnets: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    ip_ranges: tuple[str, ...] = ()
    aux_addresses: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    internal: bool = False
    attachable: bool = False
    ipv4: bool = True
    ipv6: bool = False


def owner_of(name: str) -> str:
    """The name of the stack that owns a network made by hand; another for each network."""
    if _AS_IN_A_STACK_NAME.fullmatch(name):
        return f"{PREFIX}{name}"
    return f"{PREFIX}{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def create_network(context: Context, asked: NewNetwork) -> str:
    """Return the ID of the network. Raises UserError, FatalError, and EnvironmentLack without root."""
    context.need(Part.NETWORKS)
    context.need_privileges()
    from orchestra.driver.local.net.listing import list_networks, network_id

    desired = declare(context, asked)
    owner = str(desired.stack)
    is_kept = os.path.exists(context.home.stack(owner).desired)  # perhaps it is not back after a reboot
    if is_kept or any(network.name == asked.name for network in list_networks(context.home)):
        raise UserError(f"network {asked.name} already exists")
    result = _converge(context, owner, json.dumps(encode(desired)).encode())
    if result.failures:
        _take_down(context, owner)
        raise _error(result)
    return network_id(context.home, asked.name)


def declare(context: Context, asked: NewNetwork) -> Desired:
    """The state of the stack that owns the network. Raises UserError for what is invalid."""
    if not NAME.fullmatch(asked.name):
        hint = "it begins with a letter or a digit; letters, digits, _ . and - may follow"
        raise UserError(f"{asked.name!r} is not a valid network name", hint=hint)
    labels = read_assignments("--label", asked.labels, "KEY=VALUE")
    network: dict[str, Any] = {
        "name": asked.name,
        "driver": asked.driver,
        "driver_opts": read_assignments("--opt", asked.options, "KEY=VALUE", is_whole=True),
        "labels": labels,
        "internal": asked.internal,
        "attachable": asked.attachable,
        "enable_ipv4": asked.ipv4,
        "enable_ipv6": asked.ipv6,
        "ipam": {"config": _pools(asked)},
    }
    spec = _load(context, asked.name, network)
    return replace(spec, config_files=(), networks=tuple(_by_hand(each, labels) for each in spec.networks))


def remove_standalone(context: Context, name: str) -> None:
    """Remove a network that ``create_network`` made. Raises UserError if something uses it."""
    result = _take_down(context, owner_of(name))
    if result.kept:
        raise UserError(result.kept[0], hint="remove what uses it first: orchestra down")
    if result.failures:
        raise _error(result)


def revive_networks(context: Context, desired: bytes) -> None:
    """Have the supervisors of the networks made by hand that a desired state joins bring them back, as after a reboot.

    Raises UserError for one that cannot be brought back.
    """
    for name in _external(json.loads(desired)):
        owner = owner_of(name)
        try:
            with open(context.home.stack(owner).desired, "rb") as file:
                declared = file.read()
        except FileNotFoundError:
            continue
        result = _converge(context, owner, declared)
        if result.failures:
            raise _error(result)


def _external(desired: Mapping[str, Any]) -> Iterator[str]:
    for network in desired.get("networks", ()):
        if network.get("external"):
            yield network["name"]


def _by_hand(spec: NetworkSpec, labels: Mapping[str, str]) -> NetworkSpec:
    """Without what tells of a file: the labels of a stack, and the place."""
    return replace(spec, labels=labels, location=None)


def _pools(asked: NewNetwork) -> list[dict[str, Any]]:
    """Each subnet with what belongs to it. Raises UserError for what is in none of them."""
    from ipaddress import ip_interface, ip_network

    pools: dict[Any, dict[str, Any]] = {}
    try:
        for subnet in asked.subnets:
            pools[ip_network(subnet)] = {"subnet": subnet}
        for what, key, texts in (
            ("gateway", "gateway", asked.gateways),
            ("IP range", "ip_range", asked.ip_ranges),
        ):
            for text in texts:
                _pool(pools, what, text, ip_interface(text).ip)[key] = text
        for host, text in read_assignments("--aux-address", asked.aux_addresses, is_whole=True).items():
            _pool(pools, "address", text, ip_interface(text).ip).setdefault("aux_addresses", {})[host] = text
    except ValueError as error:
        raise UserError(str(error)) from error
    return list(pools.values())


def _pool(pools: Mapping[Any, dict[str, Any]], what: str, text: str, address: Any) -> dict[str, Any]:
    for subnet, pool in pools.items():
        if address in subnet:
            return pool
    hint = f"--subnet gives the subnets: {', '.join(map(str, pools))}" if pools else "give its subnet with --subnet"
    raise UserError(f"no subnet contains the {what} {text}", hint=hint)


def _load(context: Context, name: str, network: Mapping[str, Any]) -> Desired:
    """Through the loader, which knows what a network may be."""
    from tempfile import TemporaryDirectory

    from orchestra.model.project import Chosen, Project
    from orchestra.stacks.stack_file import StackFile

    with TemporaryDirectory() as directory:
        path = os.path.join(directory, "compose.yaml")
        with open(path, "w") as file:
            json.dump(_literal({"networks": {"network": network}}), file)
        project = Project((path,), directory, owner_of(name), all_resources=True)
        try:
            loaded = StackFile(replace(context, project=project, environment={})).load(Chosen())
        except FileError as error:
            first = error.diagnostics[0]
            raise UserError(f"network {name}: {first.message}", hint=first.hint) from error
    return loaded.desired


def _literal(value: Any) -> Any:
    """With nothing in it that the loader would replace by a variable."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_literal(each) for each in value]
    return value


def _converge(context: Context, owner: str, desired: bytes) -> UpResult:
    request = UpRequest(asked_at=time.time(), author=context.author)
    return context.client(owner).ask(UpResult, request, desired=desired)


def _take_down(context: Context, owner: str) -> DownResult:
    from orchestra.stacks.containers import Known
    from orchestra.stacks.down import DownOptions, down

    return down(context, Known(owner, ()), DownOptions())


def _error(result: UpResult | DownResult) -> UserError:
    first = result.failures[0]
    return UserError(first.error, hint=first.hint)
