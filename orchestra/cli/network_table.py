"""The commands for networks, as rows of the command table. Names and letters are Docker's."""

from __future__ import annotations

from orchestra.cli.syntax import Argument, Command
from orchestra.command_line.option import FLAG, LIST, NUMBER, TEXT, Option

_NAMES = Argument("names", "NETWORK...", "Names or IDs of networks", many=True, some=True)
_NAME = Argument("network", "NETWORK", "Name or ID of a network")
_CONTAINER = Argument("container", "CONTAINER", "Name or ID of a container of any stack")
_PRIORITY = "Priority of the default route; the highest wins"
_LIST_FILTER = "Only networks with this property: dangling, driver, id, label, name, scope or type"
_PRUNE_FILTER = "Only networks with this label, or with label!= without it"

NETWORK_COMMANDS = (
    Command(
        "network ls",
        "network.ls",
        "List networks of all stacks",
        (
            Option("filters", ("-f", "--filter"), LIST, _LIST_FILTER, metavar="KEY=VALUE"),
            Option("format", ("--format",), TEXT, "table, json, or a template such as {{.Name}}", "table", "FORMAT"),
            Option("full", ("--no-trunc",), FLAG, "Do not shorten IDs"),
            Option("quiet", ("-q", "--quiet"), FLAG, "Show only IDs"),
        ),
    ),
    Command(
        "network inspect",
        "network.inspect",
        "Print detailed information about networks",
        (Option("format", ("-f", "--format"), TEXT, "json, or a template such as {{.Driver}}", "json", "FORMAT"),),
        (_NAMES,),
    ),
    Command(
        "network create",
        "network.create",
        "Create a network that no stack file declares",
        (
            Option(
                "driver", ("-d", "--driver"), TEXT, "Network driver", "bridge", choices=("bridge", "macvlan", "ipvlan")
            ),
            Option("subnets", ("--subnet",), LIST, "Subnet; repeat for IPv6", metavar="CIDR"),
            Option("gateways", ("--gateway",), LIST, "Gateway of a subnet", metavar="ADDRESS"),
            Option(
                "ip_ranges", ("--ip-range",), LIST, "Part of a subnet for the addresses of containers", metavar="CIDR"
            ),
            Option("aux_addresses", ("--aux-address",), LIST, "Address that no container gets", metavar="NAME=ADDRESS"),
            Option("options", ("-o", "--opt"), LIST, "Driver option", metavar="KEY=VALUE"),
            Option("labels", ("--label",), LIST, "Label of the network", metavar="KEY=VALUE"),
            Option("internal", ("--internal",), FLAG, "Without a way out"),
            Option("attachable", ("--attachable",), FLAG, "Allow network connect; always allowed here"),
            Option("ipv4", ("--ipv4",), FLAG, "Give IPv4 addresses (the default)", True),
            Option("ipv6", ("--ipv6",), FLAG, "Give IPv6 addresses as well"),
        ),
        (Argument("name", "NAME", "Name for the network"),),
    ),
    Command(
        "network connect",
        "network.connect",
        "Connect a container to a network",
        (
            Option("aliases", ("--alias",), LIST, "A further name of the container on the network", metavar="NAME"),
            Option("gateway_priority", ("--gw-priority",), NUMBER, _PRIORITY, 0, "NUMBER"),
            Option("ipv4_address", ("--ip",), TEXT, "Its IPv4 address on the network", metavar="ADDRESS"),
            Option("ipv6_address", ("--ip6",), TEXT, "Its IPv6 address on the network", metavar="ADDRESS"),
            Option("driver_options", ("--driver-opt",), LIST, "An option of its interface", metavar="KEY=VALUE"),
            Option("link_local_addresses", ("--link-local-ip",), LIST, "A link-local address", metavar="ADDRESS"),
        ),
        (_NAME, _CONTAINER),
    ),
    Command(
        "network disconnect",
        "network.disconnect",
        "Disconnect a container from a network",
        (),
        (_NAME, _CONTAINER),
    ),
    Command(
        "network rm",
        "network.rm",
        "Remove unused networks",
        (Option("force", ("-f", "--force"), FLAG, "Ignore networks that do not exist"),),
        (_NAMES,),
    ),
    Command(
        "network prune",
        "network.prune",
        "Remove all unused networks",
        (
            Option("filters", ("--filter",), LIST, _PRUNE_FILTER, metavar="label=LABEL"),
            Option("force", ("-f", "--force"), FLAG, "Do not ask for confirmation"),
        ),
    ),
)
