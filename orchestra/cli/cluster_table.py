"""``deploy``, and the options that other commands have for a stack in a cluster."""

from __future__ import annotations

from orchestra.cli.syntax import Argument, Command
from orchestra.command_line.option import FLAG, NUMBER, TEXT, Option

_DRIVERS = ("kubernetes", "swarm")
_MANAGER = Option("manager", ("--manager",), TEXT, "Manager of the swarm (default: as for Docker)", metavar="URL")
_CONTEXT = Option("cluster_context", ("--context",), TEXT, "Context of the kubeconfig, or Docker's", metavar="NAME")
_NAMESPACE_HELP = "Namespace (default: that of the context)"

ELSEWHERE = (
    Option("driver", ("--driver",), TEXT, "Do it in a cluster instead", choices=_DRIVERS),
    _CONTEXT,
    Option("namespace", ("--namespace",), TEXT, _NAMESPACE_HELP, metavar="NAME"),
    _MANAGER,
)
"""For commands that look at what runs."""

CLUSTER_COMMANDS = (
    Command(
        "deploy",
        "deploy",
        "Make a cluster run the stack",
        (
            Option("driver", ("--driver",), TEXT, "Kind of the cluster", "kubernetes", choices=_DRIVERS),
            _CONTEXT,
            Option("namespace", ("-n", "--namespace"), TEXT, _NAMESPACE_HELP, metavar="NAME"),
            _MANAGER,
            Option("no_wait", ("--no-wait",), FLAG, "Do not wait until everything is ready"),
            Option("wait_timeout", ("--wait-timeout",), NUMBER, "Seconds to wait", 600, metavar="SECONDS"),
            Option("no_rollback", ("--no-rollback",), FLAG, "Keep what was changed when it fails"),
            Option("with_registry_auth", ("--with-registry-auth",), FLAG, "Give the cluster your logins at registries"),
            Option("push", ("--push",), FLAG, "Push images that were built here, and pin their digests"),
            Option("force_conflicts", ("--force-conflicts",), FLAG, "Take over fields that others manage"),
        ),
    ),
    Command(
        "import",
        "import_files",
        "Print what another engine runs as a Compose file",
        (Option("output", ("-o", "--output"), TEXT, "Write to a new file instead of standard output", metavar="FILE"),),
        (Argument("files", "FILE...", "Manifests, quadlets, or what docker inspect prints", many=True, some=True),),
    ),
)
