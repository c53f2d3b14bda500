"""Names that a user may type: services, their containers and ports, profiles, stacks, volumes, networks and images.

These are for completion, so each function is fast.
"""

from __future__ import annotations

from orchestra.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.stacks.context import Context


def find_service_names(context: Context) -> list[str]:
    """Services that the file declares or that have containers. Raises the errors of a load of the file."""
    from orchestra.stacks.containers import find_stack, look_at_containers

    known = find_stack(context)
    names = dict.fromkeys(known.services or ())
    names.update(dict.fromkeys(row.service for row in look_at_containers(context, known.stack)))
    return list(names)


def find_container_names(context: Context) -> list[str]:
    """Containers of the stack. Raises the errors of a load of the file."""
    from orchestra.stacks.containers import find_stack, look_at_containers

    return [row.name for row in look_at_containers(context, find_stack(context).stack)]


def find_ports(context: Context, service: str) -> list[str]:
    """Numbers of the ports that its running containers publish. Raises the errors of a load of the file."""
    from orchestra.stacks.containers import find_stack, look_at_containers

    rows = look_at_containers(context, find_stack(context).stack)
    targets = {
        port.rpartition("->")[2].partition("/")[0] for row in rows if row.service == service for port in row.ports
    }
    return sorted(targets, key=int)


def find_profile_names(context: Context) -> list[str]:
    """Profiles that the file names, active or not. Raises the errors of a load of the file."""
    from orchestra.stacks.config import ConfigOptions, View, config

    every = replace(context, project=replace(context.project, profiles=()))
    return config(every, ConfigOptions(view=View.PROFILES)).text.splitlines()


def find_stack_names(context: Context) -> list[str]:
    """Raises PermissionError if this user may not see them."""
    from orchestra.stacks.ls import find_stacks

    return find_stacks(context.home)


def find_volume_names(context: Context) -> list[str]:
    """Raises UserError if the driver has no volumes."""
    from orchestra.stacks.host_volumes import list_volumes

    return [volume.name for volume in list_volumes(context)]


def find_network_names(context: Context) -> list[str]:
    """Raises UserError if the driver has no networks."""
    from orchestra.stacks.host_networks import list_networks

    return [network.name for network in list_networks(context)]


def find_image_names(context: Context) -> list[str]:
    """Names with tags, in the short form that a user would type. Raises UserError if the driver keeps no images."""
    from orchestra.stacks.images.library import name_of, open_library

    references = open_library(context).content.entries()
    names = (name_of(reference) for reference in references if reference)
    return sorted({f"{name.familiar}:{name.tag}" for name in names if name is not None and name.tag})
