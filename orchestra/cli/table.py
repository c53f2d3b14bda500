"""Every command with its options: the one place that knows them. Standard library only, and cheap.

Names and letters are Docker Compose's wherever it has them.
"""

from __future__ import annotations

from orchestra.cli.image_table import IMAGE_COMMANDS, SERVICES
from orchestra.cli.look_table import LOOK_COMMANDS
from orchestra.cli.syntax import Argument, Command
from orchestra.command_line.option import FLAG, LIST, NUMBER, TEXT, Option

GLOBAL = (
    Option("files", ("-f", "--file"), LIST, "Compose file; may be given several times", metavar="FILE"),
    Option("project_name", ("-p", "--project-name"), TEXT, "Name of the stack", metavar="NAME"),
    Option("project_directory", ("--project-directory",), TEXT, "What relative paths are relative to", metavar="DIR"),
    Option("profiles", ("--profile",), LIST, "Profile to activate; may be given several times", metavar="NAME"),
    Option("env_files", ("--env-file",), LIST, "File of variables, instead of .env", metavar="FILE"),
    Option(
        "ansi",
        ("--ansi",),
        TEXT,
        "When to use colours and cursor movement",
        "auto",
        choices=("auto", "never", "always"),
    ),
    Option(
        "progress",
        ("--progress",),
        TEXT,
        "How to show progress",
        "auto",
        choices=("auto", "tty", "plain", "json", "quiet"),
    ),
    Option("driver", ("--driver",), TEXT, "The world that containers live in", "local", choices=("local", "fake")),
    Option("runtime", ("--runtime",), TEXT, "OCI runtime of services that name none", metavar="PROGRAM"),
    Option("debug", ("--debug",), FLAG, "Show tracebacks"),
)

_TIMEOUT = Option("timeout", ("-t", "--timeout"), NUMBER, "Seconds to wait before killing", metavar="SECONDS")
_NO_COLOR = Option("no_color", ("--no-color",), FLAG, "Without colours")
_NO_LOG_PREFIX = Option("no_log_prefix", ("--no-log-prefix",), FLAG, "Without the container's name before each line")

_REMOVE_ORPHANS = Option(
    "remove_orphans", ("--remove-orphans",), FLAG, "Remove containers of services the file does not declare"
)

_WISH = (
    Option("scale", ("--scale",), LIST, "Number of containers of a service", metavar="SERVICE=NUM"),
    Option("force_recreate", ("--force-recreate",), FLAG, "Replace containers even if nothing changed"),
    Option("no_recreate", ("--no-recreate",), FLAG, "Leave existing containers as they are"),
    Option("always_recreate_deps", ("--always-recreate-deps",), FLAG, "Replace dependencies of the named services too"),
    Option(
        "renew_volumes",
        ("-V", "--renew-anon-volumes"),
        FLAG,
        "Replace containers that have anonymous volumes; delete these",
    ),
    Option(
        "pull",
        ("--pull",),
        TEXT,
        "When to ask for images, whatever their pull_policy",
        "policy",
        choices=("always", "missing", "never", "policy"),
    ),
    Option("no_deps", ("--no-deps",), FLAG, "Leave the dependencies of the named services alone"),
    _REMOVE_ORPHANS,
)
"""The options of ``up`` that change what it would do; ``plan`` has them too."""

COMMANDS = (
    Command(
        "up",
        "up",
        "Create and start what the file declares",
        (
            Option("detach", ("-d", "--detach"), FLAG, "Return when everything runs"),
            Option("wait", ("--wait",), FLAG, "Wait until services are running or healthy; implies -d"),
            Option(
                "wait_timeout", ("--wait-timeout",), NUMBER, "Seconds to wait for services at most", metavar="SECONDS"
            ),
            _TIMEOUT,
            *_WISH,
            Option("quiet_pull", ("--quiet-pull",), FLAG, "Without progress of pulling"),
            Option(
                "abort_on_container_exit",
                ("--abort-on-container-exit",),
                FLAG,
                "Stop everything when one container ends",
            ),
            Option(
                "abort_on_container_failure",
                ("--abort-on-container-failure",),
                FLAG,
                "Stop everything when one container fails",
            ),
            Option(
                "exit_code_from",
                ("--exit-code-from",),
                TEXT,
                "Exit with the code of this service; implies --abort-on-container-exit",
                metavar="SERVICE",
            ),
            Option("attach", ("--attach",), LIST, "Show the logs of these services only", metavar="SERVICE"),
            Option("no_attach", ("--no-attach",), LIST, "Do not show the logs of these services", metavar="SERVICE"),
            Option("attach_dependencies", ("--attach-dependencies",), FLAG, "Show the logs of dependencies too"),
            _NO_COLOR,
            _NO_LOG_PREFIX,
            Option("timestamps", ("--timestamps",), FLAG, "Show when each line was written"),
        ),
        (SERVICES,),
    ),
    Command(
        "down",
        "down",
        "Stop and remove containers and networks",
        (
            Option("volumes", ("-v", "--volumes"), FLAG, "Remove the stack's own volumes too"),
            _TIMEOUT,
            _REMOVE_ORPHANS,
        ),
        (SERVICES,),
    ),
    *LOOK_COMMANDS,
    Command(
        "logs",
        "logs",
        "Show what containers wrote",
        (
            Option("follow", ("-f", "--follow"), FLAG, "Follow log output"),
            Option("tail", ("-n", "--tail"), TEXT, "Lines from the end of each container's log", "all", "LINES"),
            Option("timestamps", ("-t", "--timestamps"), FLAG, "Show when each line was written"),
            Option("since", ("--since",), TEXT, "From a time, or a duration ago", metavar="TIME"),
            Option("until", ("--until",), TEXT, "Up to a time, or a duration ago", metavar="TIME"),
            Option("index", ("--index",), NUMBER, "Which replica", metavar="NUM"),
            _NO_COLOR,
            _NO_LOG_PREFIX,
        ),
        (SERVICES,),
    ),
    Command(
        "exec",
        "exec",
        "Run a command in a running container",
        (
            Option("detach", ("-d", "--detach"), FLAG, "Do not wait for it"),
            Option("no_tty", ("-T", "--no-tty"), FLAG, "Without a terminal"),
            Option("user", ("-u", "--user"), TEXT, "As this user", metavar="USER[:GROUP]"),
            Option("env", ("-e", "--env"), LIST, "Set a variable", metavar="NAME=VALUE"),
            Option("workdir", ("-w", "--workdir"), TEXT, "In this directory", metavar="DIR"),
            Option("index", ("--index",), NUMBER, "Which replica", metavar="NUM"),
            Option("privileged", ("--privileged",), FLAG, "With every capability of the container's world"),
            Option("interactive", ("-i", "--interactive"), FLAG, "Keep standard input open (always)", hidden=True),
            Option("tty", ("-t", "--tty"), FLAG, "With a terminal (when standard input is one)", hidden=True),
        ),
        (
            Argument("service", "SERVICE", "The service"),
            Argument("command", "COMMAND...", "The command and its arguments", many=True, rest=True),
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
            Option("replica", ("--index",), NUMBER, "Which replica", metavar="NUM"),
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
            Option("replica", ("--index",), NUMBER, "Which replica", metavar="NUM"),
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
            Option("replica", ("--index",), NUMBER, "Which replica", metavar="NUM"),
        ),
        (
            Argument("service", "SERVICE", "The service"),
            Argument("name", "[REPOSITORY[:TAG]]", "Name of the image", optional=True),
        ),
    ),
    Command(
        "config",
        "config",
        "Check the file and show it in canonical form",
        (
            Option("format", ("--format",), TEXT, "Output format", "yaml", choices=("yaml", "json")),
            Option("services", ("--services",), FLAG, "Only names of services"),
            Option("volumes", ("--volumes",), FLAG, "Only names of volumes"),
            Option("networks", ("--networks",), FLAG, "Only names of networks"),
            Option("images", ("--images",), FLAG, "Only names of images"),
            Option("models", ("--models",), FLAG, "Only names of models"),
            Option("profiles", ("--profiles",), FLAG, "Only names of profiles"),
            Option("hash", ("--hash",), TEXT, "Hashes of services by name, with commas; * for all", metavar="SERVICES"),
            Option("environment", ("--environment",), FLAG, "The variables that the file may use"),
            Option("variables", ("--variables",), FLAG, "The variables that the file does use"),
            Option("explain", ("--explain",), TEXT, "Where a value comes from", metavar="SERVICE.PATH"),
            Option("schema", ("--schema",), FLAG, "The JSON Schema of Compose files"),
            Option("no_interpolate", ("--no-interpolate",), FLAG, "Leave variables as they are"),
            Option("no_path_resolution", ("--no-path-resolution",), FLAG, "Leave relative paths as they are"),
            Option("no_env_resolution", ("--no-env-resolution",), FLAG, "Leave env_file as it is"),
            Option("no_normalize", ("--no-normalize",), FLAG, "Without names and networks that the file leaves out"),
            Option("no_consistency", ("--no-consistency",), FLAG, "Without checking what must agree"),
            Option("resolve_image_digests", ("--resolve-image-digests",), FLAG, "With the digests of images"),
            Option("lock_image_digests", ("--lock-image-digests",), FLAG, "Only the digests of images, as an override"),
            Option("quiet", ("-q", "--quiet"), FLAG, "Only check"),
            Option("output", ("-o", "--output"), TEXT, "Write to a file", metavar="FILE"),
        ),
        (Argument("selected", "[SERVICE]...", "Services; all when none is named", many=True),),
    ),
    Command(
        "plan",
        "plan",
        "Show what up would do, and why; exit code 2 when there is something to do",
        (
            Option("format", ("--format",), TEXT, "Output format", "text", choices=("text", "json")),
            Option("offline", ("--offline",), FLAG, "As if nothing existed yet; works for anybody"),
            *_WISH,
        ),
        (SERVICES,),
    ),
    Command(
        "events",
        "events",
        "Show what happens, as it happens",
        (Option("json", ("--json",), FLAG, "One JSON object per line"),),
        (SERVICES,),
    ),
    Command(
        "doctor",
        "doctor",
        "Show what this machine offers, and what each lack costs",
        (Option("format", ("--format",), TEXT, "Output format", "text", choices=("text", "json")),),
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
        "Remove what dead stacks left behind",
        (Option("force", ("-f", "--force"), FLAG, "Do not ask"),),
    ),
    *IMAGE_COMMANDS,
)

GROUPS = {
    "image": "Look after images",
    "system": "Look after what belongs to no single stack",
}
"""First words of commands of two words, with their help."""


def find_command(name: str) -> Command | None:
    return next((command for command in COMMANDS if command.name == name), None)
