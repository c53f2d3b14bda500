"""``orchestra up``: send what the file asks for to the supervisor, and show how the world follows."""

from __future__ import annotations

import sys

from orchestra.cli.asking import client_of
from orchestra.cli.foresee import foresee_name
from orchestra.cli.render.errors import render_notes
from orchestra.cli.render.progress import open_progress
from orchestra.cli.stack_file import StackFile, parse_scale
from orchestra.cli.up_exchange import check_wish, conclude, encode_up
from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.cli.stack_file import Prepared
    from orchestra.control.client import Client


def run(invocation: Invocation) -> int:
    values = invocation.values
    attached = not (values["detach"] or values["wait"] or values["wait_timeout"] is not None)
    _check(values, attached)
    check_wish(values)
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
        progress.services = prepared.selected
        progress.waits = bool(invocation.values["wait"]) or invocation.values["wait_timeout"] is not None
        result = client.ask(encode_up(invocation, prepared), progress.hear)
        progress.settle(result["containers"])
    return conclude(invocation, result)


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
