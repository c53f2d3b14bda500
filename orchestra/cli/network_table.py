"""The commands for networks, as rows of the command table. Names and letters are Docker's."""

from __future__ import annotations

from orchestra.cli.syntax import Argument, Command
from orchestra.command_line.option import FLAG, LIST, TEXT, Option

_NAMES = Argument("names", "NETWORK...", "Names or IDs of networks", many=True, some=True)
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
