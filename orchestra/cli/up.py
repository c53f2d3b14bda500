"""``orchestra up``: send what the file asks for to the supervisor, and show how the world follows."""

from __future__ import annotations

import sys

from orchestra.cli.asking import client_of, request_with_desired
from orchestra.cli.foresee import foresee_name
from orchestra.cli.render.errors import render_failures, render_notes
from orchestra.cli.render.progress import open_progress
from orchestra.cli.stack_file import StackFile, parse_scale
from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.cli.stack_file import Prepared
    from orchestra.supervisor.client import Client


def run(invocation: Invocation) -> int:
    values = invocation.values
    attached = not (values["detach"] or values["wait"] or values["wait_timeout"] is not None)
    _check(values, attached)
    invocation.need_root()
    prepared, client = _prepare(invocation)
    if prepared.notes:
        print(render_notes(prepared.notes, invocation.colors(sys.stderr)), end="", file=sys.stderr)
    if attached:
        from orchestra.cli.attached import run_attached

        return run_attached(invocation, prepared, client)
    return bring_up(invocation, prepared, client)


def bring_up(invocation: Invocation, prepared: Prepared, client: Client) -> int:
    """Until everything runs, or cannot; the exit code."""
    with open_progress(invocation) as progress:
        result = client.ask(encode_up(invocation, prepared), progress.hear)
        progress.unchanged(result["containers"])
    return conclude(invocation, prepared, result)


def encode_up(invocation: Invocation, prepared: Prepared) -> bytes:
    """The request."""
    values = invocation.values
    return request_with_desired(
        "up",
        prepared.desired,
        services=prepared.selected,
        recreate=values["force_recreate"] or None,
        remove_orphans=values["remove_orphans"] or None,
        stop_timeout=values["timeout"],
        wait=(values["wait"] or values["wait_timeout"] is not None) or None,
        wait_timeout=values["wait_timeout"],
    )


def conclude(invocation: Invocation, prepared: Prepared, result: dict[str, Any]) -> int:
    """Say what a result has to say; the exit code."""
    if result["orphans"]:
        from orchestra.cli.down import warn_of_orphans

        warn_of_orphans(result["orphans"])
    if result["timed_out"]:
        raise UserError(
            f"application not healthy after {invocation.values['wait_timeout']}s",
            hint="orchestra ps and orchestra logs show what it waits for; it goes on trying",
        )
    if result["failures"]:
        print(render_failures(result["failures"], invocation.colors(sys.stderr)), end="", file=sys.stderr)
        if result["leaving"]:
            from orchestra.supervisor.farewell import clear_away

            clear_away(invocation.home.stack(prepared.identity.stack))
        return 1
    return 0


def _prepare(invocation: Invocation) -> tuple[Prepared, Client]:
    """The load and a client whose supervisor is starting already: they take about the same time."""
    values = invocation.values
    scale = parse_scale(values["scale"])
    file = StackFile(invocation)
    prepared = file.recall_prepared(values["services"], no_deps=values["no_deps"], scale=scale)
    if prepared is not None:
        return prepared, client_of(invocation, prepared.identity.stack)
    foreseen = foresee_name(invocation)
    early = None if foreseen is None else client_of(invocation, foreseen)
    if early is not None:
        early.summon()
    try:
        prepared = file.prepare(values["services"], no_deps=values["no_deps"], scale=scale)
    except BaseException:
        if early is not None:
            early.dismiss()
        raise
    if early is not None and prepared.identity.stack == foreseen:
        return prepared, early
    if early is not None:
        early.dismiss()
    return prepared, client_of(invocation, prepared.identity.stack)


def _check(values: dict[str, Any], attached: bool) -> None:
    for name in ("abort_on_container_exit", "abort_on_container_failure", "exit_code_from", "attach", "no_attach"):
        if values[name] and not attached:
            raise UserError(f"--{name.replace('_', '-')} does not go with -d or --wait: nothing is attached then")
