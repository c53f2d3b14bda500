"""The commands that show the current state, as rows of the command table. Names and letters are Docker Compose's."""

from __future__ import annotations

from orchestra.cli.cluster_table import ELSEWHERE
from orchestra.cli.image_table import IDS, NO_TRUNC, SERVICES
from orchestra.cli.syntax import Argument, Command
from orchestra.command_line.option import FLAG, LIST, NUMBER, TEXT, Option

_FORMAT = Option("format", ("--format",), TEXT, "table, json, or a template such as {{.Name}}", "table", "FORMAT")

LOOK_COMMANDS = (
    Command(
        "ps",
        "ps",
        "List containers",
        (
            Option("all", ("-a", "--all"), FLAG, "Include stopped containers"),
            Option("filter", ("--filter",), TEXT, "Only containers with this property", metavar="status=STATE"),
            Option("statuses", ("--status",), LIST, "Only containers in this state", metavar="STATE"),
            Option("orphans", ("--orphans",), FLAG, "Include services that the file does not declare", True),
            _FORMAT,
            IDS,
            Option("only_services", ("--services",), FLAG, "Show only service names"),
            Option("at", ("--at",), TEXT, "What there was at this time, or that long ago", metavar="TIME"),
            NO_TRUNC,
            *ELSEWHERE,
        ),
        (SERVICES,),
    ),
    Command(
        "history",
        "history",
        "Show who changed what the stack should be, and when",
        (_FORMAT,),
        (Argument("revision", "[REVISION]", "Show what this revision changed", optional=True),),
    ),
    Command(
        "why",
        "why",
        "Show why services are not as they should be (exit code 1: some are not)",
        (Option("format", ("--format",), TEXT, "Output format", "text", choices=("text", "json")),),
        (SERVICES,),
    ),
    Command(
        "status",
        "status",
        "Show whether the stack is as it should be, and what is missing (the exit code says it, too)",
        (Option("format", ("--format",), TEXT, "Output format", "text", choices=("text", "json")),),
    ),
    Command(
        "timeline",
        "timeline",
        "Show where the time of the last up went, and which steps decided about it",
        (
            Option("since", ("--since",), TEXT, "From this time, or that long ago, until now", metavar="TIME"),
            Option("format", ("--format",), TEXT, "Output format", "text", choices=("text", "json", "svg", "html")),
        ),
    ),
    Command("top", "top", "Show the running processes", (), (SERVICES,)),
    Command(
        "stats",
        "stats",
        "Show what containers use, as it changes",
        (
            Option("all", ("-a", "--all"), FLAG, "Include stopped containers"),
            _FORMAT,
            Option("no_stream", ("--no-stream",), FLAG, "Show only one measurement"),
            NO_TRUNC,
        ),
        (Argument("service", "[SERVICE]", "The service; all when none is named", optional=True),),
    ),
    Command(
        "metrics",
        "metrics",
        "Print metrics of stacks for Prometheus, or serve them",
        (
            Option(
                "listen",
                ("--listen",),
                TEXT,
                "Serve them at /metrics here until interrupted",
                metavar="ADDRESS:PORT|unix:PATH",
            ),
            Option("stacks", ("--stack",), LIST, "Show only this stack; repeat for several", metavar="NAME"),
            Option(
                "format",
                ("--format",),
                TEXT,
                "Format to print; clients choose for themselves",
                "prometheus",
                choices=("prometheus", "openmetrics"),
            ),
        ),
    ),
    Command(
        "ui",
        "ui",
        "Show and manage stacks in the terminal: services, logs, plan and events",
        (),
        (Argument("stacks", "[STACK...]", "Stacks to show; all when none is named", many=True),),
    ),
    Command(
        "port",
        "port",
        "Print the public port for a port of a service, or all of them",
        (
            Option("index", ("--index",), NUMBER, "Container number, if the service has several", 0, "NUM"),
            Option("protocol", ("--protocol",), TEXT, "tcp (the default for one port), udp or sctp", None, "PROTOCOL"),
        ),
        (
            Argument("service", "SERVICE", "The service"),
            Argument("private_port", "[PRIVATE_PORT]", "The port in the container; all if not given", optional=True),
        ),
    ),
    Command(
        "inspect",
        "inspect",
        "Show everything about containers",
        (
            Option(
                "format",
                ("-f", "--format"),
                TEXT,
                "text, json, or a template such as {{.State.Status}}",
                "text",
                "FORMAT",
            ),
            Option("replica", ("--index",), NUMBER, "Container number, if the service has several", metavar="NUM"),
        ),
        (
            Argument(
                "subjects", "SERVICE|CONTAINER...", "Services, or names or IDs of containers", many=True, some=True
            ),
        ),
    ),
    Command(
        "volumes",
        "volumes",
        "List volumes",
        (_FORMAT, Option("quiet", ("-q", "--quiet"), FLAG, "Show only names")),
        (SERVICES,),
    ),
    Command(
        "ls",
        "ls",
        "List stacks",
        (
            Option("all", ("-a", "--all"), FLAG, "Include stacks without running containers"),
            Option("all_users", ("--all-users",), FLAG, "Include the stacks of other users, for root"),
            Option("filters", ("--filter",), LIST, "Only stacks with this property", metavar="name=PATTERN"),
            _FORMAT,
            Option("quiet", ("-q", "--quiet"), FLAG, "Show only names"),
        ),
    ),
    Command(
        "version",
        "version",
        "Show the version",
        (
            Option(
                "format",
                ("-f", "--format"),
                TEXT,
                "pretty, json, or a template such as {{.version}}",
                "pretty",
                "FORMAT",
            ),
            Option("short", ("--short",), FLAG, "Show only the version number"),
        ),
    ),
)
