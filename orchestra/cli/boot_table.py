"""The commands about the start of the machine, as rows of the command table."""

from __future__ import annotations

from orchestra.cli.syntax import Command
from orchestra.command_line.option import FLAG, Option

OF_USER = Option("user", ("--user",), FLAG, "Use your own systemd, as is done anyway without root")

BOOT_COMMANDS = (
    Command(
        "enable",
        "enable",
        "Have systemd bring the stack back at boot",
        (Option("now", ("--now",), FLAG, "Also start the unit, after up -d if the stack is down"), OF_USER),
    ),
    Command("disable", "disable", "Do not bring the stack back at boot; leave it as it is", (OF_USER,)),
    Command(
        "recover",
        "recover",
        "Bring the stack back as it was before a reboot",
        (Option("stay", ("--stay",), FLAG, "Then report to the service manager, for units"),),
    ),
)
