"""Every command with its options, defined in this one place. Standard library only, and cheap.

Names and letters are those of Docker Compose if it has the command or option.
"""

from __future__ import annotations

from orchestra.cli.api_table import API
from orchestra.cli.boot_table import BOOT_COMMANDS
from orchestra.cli.build_table import BUILD, BUILD_COMMANDS, NO_BUILD, QUIET_BUILD
from orchestra.cli.cluster_table import CLUSTER_COMMANDS, ELSEWHERE
from orchestra.cli.image_table import IMAGE_COMMANDS, SERVICES
from orchestra.cli.look_table import LOOK_COMMANDS
from orchestra.cli.network_table import NETWORK_COMMANDS
from orchestra.cli.run_table import (
    FORCE_RECREATE,
    NO_DEPS,
    NO_RECREATE,
    NO_TTY,
    PULL,
    QUIET_PULL,
    REMOVE_ORPHANS,
    REPLICA,
    RUN_COMMANDS,
    SCALE,
    TIMEOUT,
    WAIT,
    YES,
)
from orchestra.cli.surroundings import ANSI, PROGRESS
from orchestra.cli.syntax import Argument, Command
from orchestra.cli.volume_table import VOLUME_COMMANDS
from orchestra.cli.web_table import WEB
from orchestra.command_line.option import EITHER, FLAG, LIST, NUMBER, TEXT, Option

_DRY_RUN = "Show what the command would do, and why; change nothing"
_DRY_RUN_LATER = Option("dry_run", ("--dry-run",), FLAG, _DRY_RUN, hidden=True)

GLOBAL = (
    Option("files", ("-f", "--file"), LIST, "Compose file; repeat to merge several", metavar="FILE"),
    Option("project_name", ("-p", "--project-name"), TEXT, "Stack name (Compose's project name)", metavar="NAME"),
    Option("project_directory", ("--project-directory",), TEXT, "Base directory for relative paths", metavar="DIR"),
    Option("profiles", ("--profile",), LIST, "Profile to enable; repeat to enable several", metavar="NAME"),
    Option("env_files", ("--env-file",), LIST, "Read variables from this file instead of .env", metavar="FILE"),
    Option(
        "ansi",
        ("--ansi",),
        TEXT,
        "When to use colours and cursor movement (default: auto)",
        choices=ANSI,
    ),
    Option(
        "progress",
        ("--progress",),
        TEXT,
        "Type of progress output (default: auto)",
        choices=PROGRESS,
    ),
    Option("host", ("-H", "--host"), TEXT, "Run the command on another machine", metavar="ssh://[USER@]SERVER[:PORT]"),
    Option("driver", ("--driver",), TEXT, "Driver that runs the containers", "local", choices=("local", "fake")),
    Option("runtime", ("--runtime",), TEXT, "OCI runtime for services that do not set one", metavar="PROGRAM"),
    Option("parallel", ("--parallel",), NUMBER, "Operations to run at a time; -1 for no limit", metavar="NUM"),
    Option("all_resources", ("--all-resources",), FLAG, "Include resources that no service uses"),
    Option("compatibility", ("--compatibility",), FLAG, "Separate the parts of container names by _"),
    Option("dry_run", ("--dry-run",), FLAG, _DRY_RUN),
    Option("debug", ("--debug",), FLAG, "Show tracebacks"),
    Option("no_ansi", ("--no-ansi",), FLAG, "The same as --ansi never", hidden=True),
    Option("workdir", ("--workdir",), TEXT, "The same as --project-directory", metavar="DIR", hidden=True),
)

_NO_COLOR = Option("no_color", ("--no-color",), FLAG, "Do not use colours")
_NO_LOG_PREFIX = Option("no_log_prefix", ("--no-log-prefix",), FLAG, "Do not print container names before lines")

_WISH = (
    SCALE,
    FORCE_RECREATE,
    NO_RECREATE,
    Option("always_recreate_deps", ("--always-recreate-deps",), FLAG, "Recreate the dependencies as well"),
    Option(
        "renew_volumes",
        ("-V", "--renew-anon-volumes"),
        FLAG,
        "Recreate anonymous volumes and discard their data",
    ),
    PULL,
    NO_DEPS,
    REMOVE_ORPHANS,
    Option("no_start", ("--no-start",), FLAG, "Create containers without starting them"),
)
"""The options of ``up`` that change what it would do; ``plan`` has them too."""

COMMANDS = (
    Command(
        "up",
        "up",
        "Create and start containers",
        (
            Option("detach", ("-d", "--detach"), FLAG, "Run containers in the background"),
            *WAIT,
            Option("follow", ("--follow",), FLAG, "Do the same again whenever the file changes, until down"),
            TIMEOUT,
            *_WISH,
            QUIET_PULL,
            BUILD,
            NO_BUILD,
            QUIET_BUILD,
            Option(
                "ports",
                ("--ports",),
                TEXT,
                "Which host ports to publish; auto replaces those in use",
                choices=("file", "auto"),
                default="file",
            ),
            Option(
                "abort_on_container_exit",
                ("--abort-on-container-exit",),
                FLAG,
                "Stop all containers if any container stops",
            ),
            Option(
                "abort_on_container_failure",
                ("--abort-on-container-failure",),
                FLAG,
                "Stop all containers if any container fails",
            ),
            Option(
                "exit_code_from",
                ("--exit-code-from",),
                TEXT,
                "Exit with this service's code; implies --abort-on-container-exit",
                metavar="SERVICE",
            ),
            Option("attach", ("--attach",), LIST, "Show the logs of only these services", metavar="SERVICE"),
            Option("no_attach", ("--no-attach",), LIST, "Do not show the logs of these services", metavar="SERVICE"),
            Option("attach_dependencies", ("--attach-dependencies",), FLAG, "Also show the logs of dependencies"),
            _NO_COLOR,
            _NO_LOG_PREFIX,
            Option("timestamps", ("--timestamps",), FLAG, "Show timestamps"),
            Option("watch", ("-w", "--watch"), FLAG, "Sync, restart or rebuild services when files change"),
            Option("menu", ("--menu",), FLAG, "Show a menu of keys below the logs (the default on a terminal)", EITHER),
            YES,
        ),
        (SERVICES,),
    ),
    Command(
        "down",
        "down",
        "Stop and remove containers and networks",
        (
            Option("volumes", ("-v", "--volumes"), FLAG, "Also remove the stack's own volumes"),
            Option(
                "rmi",
                ("--rmi",),
                TEXT,
                "Also remove images of services: all, or local ones that were built without a name",
                choices=("local", "all"),
            ),
            TIMEOUT,
            REMOVE_ORPHANS,
            *ELSEWHERE,
        ),
        (SERVICES,),
    ),
    *RUN_COMMANDS,
    *BOOT_COMMANDS,
    *CLUSTER_COMMANDS,
    *LOOK_COMMANDS,
    Command(
        "logs",
        "logs",
        "Show container logs",
        (
            Option("follow", ("-f", "--follow"), FLAG, "Follow log output"),
            Option("tail", ("-n", "--tail"), TEXT, "Number of lines to show from the end of each log", "all", "LINES"),
            Option("timestamps", ("-t", "--timestamps"), FLAG, "Show timestamps"),
            Option("since", ("--since",), TEXT, "Show logs since a time, or a duration ago", metavar="TIME"),
            Option("until", ("--until",), TEXT, "Show logs until a time, or a duration ago", metavar="TIME"),
            REPLICA,
            _NO_COLOR,
            _NO_LOG_PREFIX,
            *ELSEWHERE,
        ),
        (SERVICES,),
    ),
    Command(
        "exec",
        "exec",
        "Run a command in a running container",
        (
            Option("detach", ("-d", "--detach"), FLAG, "Run the command in the background"),
            NO_TTY,
            Option("user", ("-u", "--user"), TEXT, "Run the command as this user", metavar="USER[:GROUP]"),
            Option("env", ("-e", "--env"), LIST, "Set an environment variable", metavar="NAME=VALUE"),
            Option("workdir", ("-w", "--workdir"), TEXT, "Run the command in this directory", metavar="DIR"),
            REPLICA,
            Option("privileged", ("--privileged",), FLAG, "Give the command all available capabilities"),
            Option("interactive", ("-i", "--interactive"), FLAG, "Keep standard input open (the default)", hidden=True),
            Option("tty", ("-t", "--tty"), FLAG, "Allocate a terminal (the default on a terminal)", hidden=True),
            *ELSEWHERE,
        ),
        (
            Argument("service", "SERVICE", "Service to run the command in"),
            Argument("command", "COMMAND...", "Command to run, with its arguments", many=True, rest=True),
        ),
    ),
    Command(
        "cp",
        "cp",
        "Copy files between containers and the host",
        (
            Option("everything", ("--all",), FLAG, "Include containers of one-off commands"),
            Option("archive", ("-a", "--archive"), FLAG, "Keep owners and groups"),
            Option("follow_link", ("-L", "--follow-link"), FLAG, "Follow a symbolic link at the source's path"),
            REPLICA,
        ),
        (
            Argument("source", "SRC_PATH", "SERVICE:PATH, a path of the host, or - for an archive on standard input"),
            Argument("destination", "DEST_PATH", "The same; - for an archive on standard output"),
        ),
    ),
    Command(
        "export",
        "export",
        "Export a container's file system as a tar archive",
        (
            Option("output", ("-o", "--output"), TEXT, "Write to a file, not to standard output", metavar="FILE"),
            REPLICA,
        ),
        (Argument("service", "SERVICE", "The service"),),
    ),
    Command(
        "commit",
        "commit",
        "Create an image from a container's changes",
        (
            Option("author", ("-a", "--author"), TEXT, "Author of the image", metavar="TEXT"),
            Option("changes", ("-c", "--change"), LIST, "A Dockerfile instruction, such as CMD", metavar="INSTRUCTION"),
            Option("message", ("-m", "--message"), TEXT, "What its history says", metavar="TEXT"),
            Option("pause", ("-p", "--pause"), FLAG, "Pause the container meanwhile (default true)", True),
            REPLICA,
        ),
        (
            Argument("service", "SERVICE", "The service"),
            Argument("name", "[REPOSITORY[:TAG]]", "Name of the image", optional=True),
        ),
    ),
    Command(
        "config",
        "config",
        "Check the Compose file and print it in canonical form",
        (
            Option("format", ("--format",), TEXT, "Output format (default: yaml)", choices=("yaml", "json")),
            Option("services", ("--services",), FLAG, "Print only service names"),
            Option("volumes", ("--volumes",), FLAG, "Print only volume names"),
            Option("networks", ("--networks",), FLAG, "Print only network names"),
            Option("images", ("--images",), FLAG, "Print only image names"),
            Option("models", ("--models",), FLAG, "Print only model names"),
            Option("profiles", ("--profiles",), FLAG, "Print only profile names"),
            Option("hash", ("--hash",), TEXT, "Print the hashes of these services; * for all", metavar="SERVICES"),
            Option("environment", ("--environment",), FLAG, "Print the variables available to the file"),
            Option("variables", ("--variables",), FLAG, "Print the variables that the file uses"),
            Option("explain", ("--explain",), TEXT, "Show where a value comes from", metavar="SERVICE.PATH"),
            Option("schema", ("--schema",), FLAG, "Print the JSON Schema of Compose files"),
            Option("no_interpolate", ("--no-interpolate",), FLAG, "Do not interpolate variables"),
            Option("no_path_resolution", ("--no-path-resolution",), FLAG, "Do not resolve relative paths"),
            Option("no_env_resolution", ("--no-env-resolution",), FLAG, "Do not read the files named by env_file"),
            Option("no_normalize", ("--no-normalize",), FLAG, "Do not fill in default names and networks"),
            Option("no_consistency", ("--no-consistency",), FLAG, "Do not check consistency"),
            Option("resolve_image_digests", ("--resolve-image-digests",), FLAG, "Pin images to their digests"),
            Option(
                "lock_image_digests", ("--lock-image-digests",), FLAG, "Print an override file with the image digests"
            ),
            Option(
                "target",
                ("--to",),
                TEXT,
                "Translate it for another engine",
                choices=("kubernetes", "swarm", "quadlet", "systemd"),
            ),
            Option("quiet", ("-q", "--quiet"), FLAG, "Only validate; print nothing"),
            Option("output", ("-o", "--output"), TEXT, "Write to a file instead of standard output", metavar="FILE"),
        ),
        (Argument("selected", "[SERVICE]...", "Services (default: all)", many=True),),
    ),
    Command(
        "test",
        "test",
        "Run the scenarios that stacks are tested with",
        (
            Option("keyword", ("-k",), TEXT, "Only scenarios with this in their names", metavar="TEXT"),
            Option("format", ("--format",), TEXT, "Output format", "text", choices=("text", "json")),
            Option(
                "simulate",
                ("--simulate",),
                NUMBER,
                "Simulate each so many times on a virtual clock: first undisturbed, then with troubles",
                metavar="NUM",
            ),
            Option("replay", ("--replay",), NUMBER, "Simulate with the troubles of this seed only", metavar="SEED"),
            Option("junit", ("--junit",), TEXT, "Also write the results to a file, as JUnit's XML", metavar="FILE"),
        ),
        (Argument("scenario_files", "[FILE]...", "Files of scenarios (default: *.scenario.yaml)", many=True),),
    ),
    Command(
        "publish",
        "publish",
        "Publish the Compose files to a registry",
        (
            Option(
                "resolve_image_digests",
                ("--resolve-image-digests",),
                FLAG,
                "Pin images to their digests, in a file of its own",
            ),
            Option("app", ("--app",), FLAG, "Also publish the images, and pin the services to them"),
            Option("with_env", ("--with-env",), FLAG, "Also publish the files named by env_file"),
            Option(
                "oci_version",
                ("--oci-version",),
                TEXT,
                "Version of the OCI image specification to follow, instead of the newest that the registry takes",
                choices=("1.0", "1.1"),
            ),
            Option("dry_run", ("--dry-run",), FLAG, "Show what would be published, and send nothing"),
            YES,
            Option(
                "insecure_registry",
                ("--insecure-registry",),
                FLAG,
                "Allow plain HTTP and certificates that are not trusted",
                hidden=True,
            ),
        ),
        (Argument("repository", "REPOSITORY[:TAG]", "Name that the stack gets in the registry"),),
    ),
    Command(
        "plan",
        "plan",
        "Show what up would do, and why (exit code 2: changes)",
        (
            Option("format", ("--format",), TEXT, "Output format", "text", choices=("text", "json", "dot", "mermaid")),
            Option("offline", ("--offline",), FLAG, "Plan as if nothing existed; needs no root"),
            Option("out", ("--out",), TEXT, "Also write the plan to a file for orchestra apply", metavar="FILE"),
            *_WISH,
            *ELSEWHERE,
        ),
        (SERVICES,),
    ),
    Command(
        "apply",
        "apply",
        "Carry out a plan from plan --out, or nothing if it has changed",
        WAIT,
        (Argument("plan", "FILE", "The plan"),),
    ),
    Command(
        "graph",
        "graph",
        "Show which services depend on which",
        (
            Option(
                "format",
                ("--format",),
                TEXT,
                "Output format",
                "text",
                choices=("text", "dot", "mermaid", "svg", "json"),
            ),
            Option("volumes", ("--volumes",), FLAG, "Include the named volumes that services use"),
            Option("networks", ("--networks",), FLAG, "Include the networks that services use"),
        ),
    ),
    Command(
        "events",
        "events",
        "Print events as they happen",
        (
            Option("json", ("--json",), FLAG, "Print one JSON object per line"),
            Option("since", ("--since",), TEXT, "Show events since a time, or a duration ago", metavar="TIME"),
            Option("until", ("--until",), TEXT, "End at a time, or a duration ago", metavar="TIME"),
            *ELSEWHERE,
        ),
        (SERVICES,),
    ),
    Command(
        "doctor",
        "doctor",
        "Check what this machine supports, and what is missing",
        (Option("format", ("--format",), TEXT, "Output format", "text", choices=("text", "json")),),
    ),
    API,
    WEB,
    Command(
        "unshare",
        "unshare",
        "Run a command in the namespaces of your containers",
        (),
        (
            Argument(
                "command",
                "[COMMAND]...",
                "Command with its arguments (default: a shell)",
                many=True,
                rest=True,
                optional=True,
            ),
        ),
    ),
    Command(
        "help",
        "help",
        "Show help for a command",
        (),
        (Argument("words", "[COMMAND]...", "The command, of one or two words (default: all)", many=True),),
    ),
    Command(
        "completion",
        "completion",
        "Print a completion script for a shell",
        (),
        (Argument("shell", "SHELL", "bash, zsh or fish", choices=("bash", "zsh", "fish")),),
    ),
    Command(
        "system prune",
        "system",
        "Remove leftovers of stacks that no longer run",
        (Option("force", ("-f", "--force"), FLAG, "Do not ask for confirmation"),),
    ),
    *BUILD_COMMANDS,
    *IMAGE_COMMANDS,
    *VOLUME_COMMANDS,
    *NETWORK_COMMANDS,
)

GROUPS = {
    "image": "Manage images",
    "volume": "Manage volumes",
    "network": "Manage networks",
    "system": "Manage what belongs to no single stack",
}
"""The first words of two-word commands, with their help."""


ALIASES = {"convert": "config"}
"""Older names, which help does not show."""


def find_command(name: str) -> Command | None:
    """name: also an older one."""
    name = ALIASES.get(name, name)
    return next((command for command in COMMANDS if command.name == name), None)


def flags_of(name: str) -> dict[str, str]:
    """What is typed for each option that may follow a command's name, by the name of its value."""
    command = find_command(name)
    return {option.name: option.flags[-1] for option in options_after(command)} if command else {}


def options_after(command: Command) -> tuple[Option, ...]:
    """What may follow the command's name: its own options and, as in Docker Compose, the global ``--dry-run``."""
    if any(option.name == _DRY_RUN_LATER.name for option in command.options):
        return command.options
    return (*command.options, _DRY_RUN_LATER)
