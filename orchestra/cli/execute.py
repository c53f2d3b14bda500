"""Runs the module of a parsed command line, shows its errors, and returns an exit code."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from orchestra.cli.exit_codes import BROKEN_PIPE, INTERRUPTED
from orchestra.cli.surroundings import settle
from orchestra.cli.table import find_command, flags_of
from orchestra.errors import OrchestraError, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


_CLUSTER = ("cluster_context", "namespace", "manager")


def execute(invocation: Invocation) -> int:
    """Run a command. Errors meant for users are shown on standard error; bugs keep their traceback."""
    command = find_command(invocation.command)
    assert command is not None, invocation.command
    try:
        settle(invocation, os.environ)
        _check_cluster(invocation)
        if invocation.shared["host"]:
            from orchestra.cli.host_rules import HERE

            if invocation.command not in HERE:
                from orchestra.cli.on_host import run_on_host

                return run_on_host(invocation)
        if invocation.shared["dry_run"] or invocation.values["dry_run"]:
            from orchestra.cli.dry_run import run_dry

            return run_dry(invocation)
        code: int = import_module(f"orchestra.cli.{command.module}").run(invocation)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes standard output once more at exit: discard that.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (OrchestraError, OSError) as error:
        if invocation.shared["debug"]:
            raise
        from orchestra.cli.render.errors import render_error

        print(render_error(error, invocation.colors(sys.stderr)), end="", file=sys.stderr)
        return error.exit_code if isinstance(error, OrchestraError) else 1
    return code


def _check_cluster(invocation: Invocation) -> None:
    """Raises UserError for a cluster that is named and then not asked."""
    values = invocation.values
    if values.get("driver", "") is None and (named := next(filter(values.get, _CLUSTER), "")):
        flag = flags_of(invocation.command)[named]
        raise UserError(f"{flag} is about a cluster", hint="use it with --driver kubernetes or --driver swarm")
