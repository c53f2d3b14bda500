"""The commands for volumes, as rows of the command table. Names and letters are Docker's."""

from __future__ import annotations

from orchestra.cli.syntax import Argument, Command
from orchestra.command_line.option import FLAG, LIST, TEXT, Option

_NAMES = Argument("names", "VOLUME...", "Volume names", many=True, some=True)
_LIST_FILTER = "Only volumes with this property: dangling, driver, label or name"
_PRUNE_FILTER = "Only volumes with this label, or with label!= without it"

VOLUME_COMMANDS = (
    Command(
        "volume ls",
        "volume.ls",
        "List volumes of all stacks",
        (
            Option("filters", ("-f", "--filter"), LIST, _LIST_FILTER, metavar="KEY=VALUE"),
            Option("format", ("--format",), TEXT, "table, json, or a template such as {{.Name}}", "table", "FORMAT"),
            Option("quiet", ("-q", "--quiet"), FLAG, "Show only names"),
        ),
    ),
    Command(
        "volume inspect",
        "volume.inspect",
        "Print detailed information about volumes",
        (Option("format", ("-f", "--format"), TEXT, "json, or a template such as {{.Mountpoint}}", "json", "FORMAT"),),
        (_NAMES,),
    ),
    Command(
        "volume create",
        "volume.create",
        "Create a volume",
        (
            Option("driver", ("-d", "--driver"), TEXT, "Volume driver", "local", choices=("local",)),
            Option("labels", ("--label",), LIST, "Label of the volume", metavar="KEY=VALUE"),
            Option("options", ("-o", "--opt"), LIST, "Driver option: type, device or o", metavar="KEY=VALUE"),
        ),
        (Argument("name", "[NAME]", "Name for the volume; a random one if not given", optional=True),),
    ),
    Command(
        "volume rm",
        "volume.rm",
        "Remove volumes with their data",
        (Option("force", ("-f", "--force"), FLAG, "Ignore volumes that do not exist"),),
        (_NAMES,),
    ),
    Command(
        "volume prune",
        "volume.prune",
        "Remove unused volumes with their data",
        (
            Option("all", ("-a", "--all"), FLAG, "Remove all unused volumes, not only anonymous ones"),
            Option("filters", ("--filter",), LIST, _PRUNE_FILTER, metavar="label=LABEL"),
            Option("force", ("-f", "--force"), FLAG, "Do not ask for confirmation"),
        ),
    ),
)
