"""``network``: the networks of a home, whatever stack made them."""

from __future__ import annotations

from orchestra.driver import Part
from orchestra.errors import UserError
from orchestra.stacks.filters import has_labels, is_one_of, parse_filters, parse_truth
from orchestra.stacks.find import find_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.model.host_network import HostNetwork
    from orchestra.stacks.context import Context

LIST_FILTERS = ("dangling", "driver", "id", "label", "name", "scope", "type")
PRUNE_FILTERS = ("label", "label!")
SCOPE, TYPE = "local", "custom"


def list_networks(context: Context, filters: Sequence[str] = ()) -> list[HostNetwork]:
    """Sorted by name. filters: ``KEY=VALUE``; all labels must match, and one of each other key. Raises UserError."""
    asked = parse_filters(filters, LIST_FILTERS)
    dangling = {parse_truth("dangling", value) for value in asked.get("dangling", ())}
    found = [network for network in _all(context) if _fits(network, asked)]
    return [network for network in found if not dangling or (not _is_used(context, network)) in dangling]


def find_network(context: Context, word: str) -> HostNetwork:
    """The network of that name, or whose ID begins so. Raises UserError if there is none, or more than one."""
    return find_one(_all(context), word, "network")


def remove_network(context: Context, word: str, *, force: bool = False) -> str | None:
    """Return its name; None if it does not exist and ``force`` is given. Raises UserError or FatalError."""
    try:
        network = find_network(context, word)
    except UserError:
        if force:
            return None
        raise
    from orchestra.driver.local.net.listing import remove_unused
    from orchestra.stacks.standalone_network import owner_of, remove_standalone

    if network.stack == owner_of(network.name) and not network.members:
        context.need_privileges()
        remove_standalone(context, network.name)
    else:
        remove_unused(context.home, network)
    return network.name


def find_unused(context: Context, filters: Sequence[str] = ()) -> list[HostNetwork]:
    """Raises UserError for unknown filters."""
    asked = parse_filters(filters, PRUNE_FILTERS)
    return [network for network in _all(context) if _fits(network, asked) and not _is_used(context, network)]


def _all(context: Context) -> list[HostNetwork]:
    context.need(Part.NETWORKS)
    from orchestra.driver.local.net.listing import list_networks

    return list_networks(context.home)


def _is_used(context: Context, network: HostNetwork) -> bool:
    from orchestra.driver.local.net.listing import reasons_to_keep
    from orchestra.stacks.standalone_network import owner_of

    if network.stack == owner_of(network.name):
        return bool(network.members)
    return bool(reasons_to_keep(context.home, network))


def _fits(network: HostNetwork, asked: Mapping[str, Sequence[str]]) -> bool:
    return (
        is_one_of(asked, "name", lambda text: text in network.name)
        and is_one_of(asked, "id", network.id.startswith)
        and is_one_of(asked, "driver", network.driver.__eq__)
        and is_one_of(asked, "scope", SCOPE.__eq__)
        and is_one_of(asked, "type", TYPE.__eq__)
        and has_labels(asked, network.labels)
    )
