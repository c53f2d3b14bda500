"""Which options have a meaning for a stack in a cluster, and what is said of the others."""

from __future__ import annotations

from orchestra.cli.table import find_command, flags_of, options_after
from orchestra.errors import UserError
from orchestra.stacks.cluster.where import SWARM, Where

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.cli.invocation import Invocation

_WHERE = ("cluster_context", "namespace", "manager")

KEPT: Mapping[str, frozenset[str]] = {
    "deploy": frozenset({"no_wait", "wait_timeout", "no_rollback", "with_registry_auth", "push", "force_conflicts"}),
    "plan": frozenset({"format", "remove_orphans"}),
    "scale": frozenset({"scale"}),
    "rollback": frozenset({"wait", "wait_timeout"}),
    "down": frozenset({"volumes", "remove_orphans"}),
    "ps": frozenset({"quiet", "services"}),
    "logs": frozenset({"follow", "tail", "timestamps", "since", "no_color", "no_log_prefix", "services"}),
    "events": frozenset({"json", "since", "until", "services"}),
    "exec": frozenset(
        {
            *("detach", "no_tty", "user", "env", "workdir", "replica", "privileged", "interactive", "tty"),
            *("service", "command"),
        }
    ),
}
"""Options and arguments of commands that mean in a cluster what they mean here. What is removed from a file is
removed from a cluster always, so ``--remove-orphans`` is kept.
"""


def read_where(invocation: Invocation) -> Where:
    """Raises UserError for what has no meaning in a cluster of that kind."""
    values = invocation.values
    driver = values["driver"]
    for typed in _given(invocation):
        raise UserError(f"{typed} has no effect with --driver {driver}", hint=f"leave {typed} out")
    if driver == SWARM and values["namespace"]:
        raise UserError("a swarm has no namespaces: --namespace is for Kubernetes", hint="leave --namespace out")
    if driver != SWARM and values["manager"]:
        raise UserError("--manager names a manager of a swarm", hint="use it with --driver swarm")
    if values["manager"] and values["cluster_context"]:
        raise UserError("--manager and --context cannot be combined: each says where the swarm is")
    return Where(driver, *(values[name] or "" for name in _WHERE))


def _given(invocation: Invocation) -> list[str]:
    """What was typed, of what has no meaning in a cluster."""
    command = find_command(invocation.command)
    assert command is not None
    known, flags = KEPT[command.name] | {*_WHERE, "driver", "dry_run"}, flags_of(command.name)
    options = [option for option in options_after(command) if option.name not in known]
    typed = [flags[option.name] for option in options if invocation.values[option.name] != option.initial]
    arguments = [argument.name for argument in command.arguments if argument.name not in known]
    return typed + [word for name in arguments for word in invocation.values[name] or ()]
