"""The commands that change how containers run, as rows of the command table. Names and letters are Docker Compose's."""

from __future__ import annotations

from orchestra.cli.build_table import BUILD, NO_BUILD, QUIET_BUILD
from orchestra.cli.cluster_table import ELSEWHERE
from orchestra.cli.image_table import SERVICES
from orchestra.cli.syntax import Argument, Command
from orchestra.command_line.option import FLAG, LIST, NUMBER, TEXT, Option

TIMEOUT = Option("timeout", ("-t", "--timeout"), NUMBER, "Shutdown timeout in seconds", metavar="SECONDS")
REMOVE_ORPHANS = Option("remove_orphans", ("--remove-orphans",), FLAG, "Remove containers for services not in the file")
WAIT = (
    Option("wait", ("--wait",), FLAG, "Wait for services to be running or healthy; implies -d"),
    Option("wait_timeout", ("--wait-timeout",), NUMBER, "Maximum number of seconds to wait", metavar="SECONDS"),
)
SCALE = Option("scale", ("--scale",), LIST, "Number of containers to run for a service", metavar="SERVICE=NUM")
FORCE_RECREATE = Option("force_recreate", ("--force-recreate",), FLAG, "Recreate containers even if nothing changed")
NO_RECREATE = Option("no_recreate", ("--no-recreate",), FLAG, "Do not recreate containers that already exist")
NO_DEPS = Option("no_deps", ("--no-deps",), FLAG, "Do not start or recreate dependencies")
PULL = Option(
    "pull",
    ("--pull",),
    TEXT,
    "When to pull images; overrides pull_policy",
    "policy",
    choices=("always", "missing", "never", "policy"),
)
REPLICA = Option("replica", ("--index",), NUMBER, "Container number, if the service has several", metavar="NUM")
QUIET_PULL = Option("quiet_pull", ("--quiet-pull",), FLAG, "Pull images without showing progress")
NO_TTY = Option("no_tty", ("-T", "--no-tty", "--no-TTY"), FLAG, "Do not allocate a terminal")
YES = Option("yes", ("-y", "--yes"), FLAG, "Assume yes as the answer to all questions")


RUN_COMMANDS = (
    Command(
        "run",
        "run",
        "Run a one-off command in a container of its own",
        (
            Option("detach", ("-d", "--detach"), FLAG, "Run in the background; print the container's ID"),
            Option("remove", ("--rm",), FLAG, "Remove the container when it exits"),
            Option("entrypoint", ("--entrypoint",), TEXT, "Override the entrypoint", metavar="COMMAND"),
            Option("env", ("-e", "--env"), LIST, "Set an environment variable", metavar="NAME=VALUE"),
            Option("env_files", ("--env-from-file",), LIST, "Read environment variables from a file", metavar="FILE"),
            Option("user", ("-u", "--user"), TEXT, "Run the command as this user", metavar="USER[:GROUP]"),
            Option("workdir", ("-w", "--workdir"), TEXT, "Run the command in this directory", metavar="DIR"),
            Option(
                "volumes",
                ("-v", "--volume", "--volumes"),
                LIST,
                "Mount a volume or a directory",
                metavar="SOURCE:TARGET",
            ),
            Option("publish", ("-p", "--publish"), LIST, "Publish a port of the container", metavar="HOST:CONTAINER"),
            Option("service_ports", ("-P", "--service-ports"), FLAG, "Publish the ports of the service"),
            Option("use_aliases", ("--use-aliases",), FLAG, "Use the network names of the service"),
            Option("name", ("--name",), TEXT, "Name of the container", metavar="NAME"),
            Option("labels", ("-l", "--label", "--labels"), LIST, "Set a label", metavar="NAME=VALUE"),
            Option("cap_add", ("--cap-add",), LIST, "Add a capability", metavar="CAPABILITY"),
            Option("cap_drop", ("--cap-drop",), LIST, "Drop a capability", metavar="CAPABILITY"),
            NO_DEPS,
            PULL,
            QUIET_PULL,
            BUILD,
            QUIET_BUILD,
            Option("quiet", ("-q", "--quiet"), FLAG, "Do not show progress"),
            REMOVE_ORPHANS,
            Option("interactive", ("-i", "--interactive"), FLAG, "Keep standard input open (the default)", 1),
            NO_TTY,
            Option("tty", ("-t", "--tty"), FLAG, "Allocate a terminal (the default on a terminal)", hidden=True),
        ),
        (
            Argument("service", "SERVICE", "Service to run the command for"),
            Argument("command", "[COMMAND]...", "Command with its arguments", many=True, rest=True, optional=True),
        ),
    ),
    Command(
        "attach",
        "attach",
        "Attach to a running container of a service",
        (
            REPLICA,
            Option("detach_keys", ("--detach-keys",), TEXT, "Keys that detach", "ctrl-p,ctrl-q", metavar="KEYS"),
            Option("no_stdin", ("--no-stdin",), FLAG, "Do not attach standard input"),
            Option("sig_proxy", ("--sig-proxy",), FLAG, "Pass signals on to the process (the default)", 1),
        ),
        (Argument("service", "SERVICE", "Service to attach to"),),
    ),
    Command(
        "watch",
        "watch",
        "Sync, restart or rebuild services when files change",
        (
            Option("no_up", ("--no-up",), FLAG, "Do not build and start services before watching"),
            Option("prune", ("--prune",), FLAG, "Remove dangling images after a rebuild (default true)", 1),
            Option("quiet", ("--quiet",), FLAG, "Do not show the progress of starting and building"),
        ),
        (SERVICES,),
    ),
    Command(
        "create",
        "create",
        "Create containers without starting them",
        (BUILD, NO_BUILD, SCALE, FORCE_RECREATE, NO_RECREATE, PULL, QUIET_PULL, REMOVE_ORPHANS, YES),
        (SERVICES,),
    ),
    Command(
        "start",
        "life_cycle",
        "Start existing containers",
        (
            Option("wait", ("--wait",), FLAG, "Wait for services to be running or healthy"),
            WAIT[1],
        ),
        (SERVICES,),
    ),
    Command("stop", "life_cycle", "Stop containers without removing them", (TIMEOUT,), (SERVICES,)),
    Command(
        "restart",
        "life_cycle",
        "Stop containers and start them again",
        (TIMEOUT, Option("no_deps", ("--no-deps",), FLAG, "Do not restart dependent services")),
        (SERVICES,),
    ),
    Command(
        "kill",
        "life_cycle",
        "Send a signal to containers",
        (
            Option("signal", ("-s", "--signal"), TEXT, "Name or number of the signal", "SIGKILL", "SIGNAL"),
            REMOVE_ORPHANS,
        ),
        (SERVICES,),
    ),
    Command("pause", "life_cycle", "Suspend all processes of containers", (), (SERVICES,)),
    Command("unpause", "life_cycle", "Resume paused containers", (), (SERVICES,)),
    Command(
        "rm",
        "rm",
        "Remove stopped containers",
        (
            Option("force", ("-f", "--force"), FLAG, "Do not ask for confirmation"),
            Option("stop", ("-s", "--stop"), FLAG, "Stop the containers first"),
            Option("volumes", ("-v", "--volumes"), FLAG, "Also remove their anonymous volumes"),
            Option("everything", ("-a", "--all"), FLAG, "No effect; kept for scripts", hidden=True),
        ),
        (SERVICES,),
    ),
    Command(
        "scale",
        "scale",
        "Change how many containers a service has",
        (NO_DEPS, *ELSEWHERE),
        (Argument("scale", "SERVICE=NUM...", "Service and its number of containers", many=True, some=True),),
    ),
    Command(
        "rollback",
        "rollback",
        "Bring the stack back to an earlier revision",
        (TIMEOUT, *WAIT, *ELSEWHERE),
        (
            Argument(
                "revision", "[REVISION]", "Its number in orchestra history; the one before if not given", optional=True
            ),
        ),
    ),
    Command(
        "wait",
        "life_cycle",
        "Wait for containers to stop",
        (Option("down_project", ("--down-project",), FLAG, "Bring the stack down when the first container stops"),),
        (Argument("services", "SERVICE...", "Service to wait for", many=True, some=True),),
    ),
)
