"""Which platforms the commands of a build may be for: this machine's, and those that it has an interpreter for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestra.build.step import BaseImage, Copy, MakeDirectory, Run
from orchestra.errors import EnvironmentLack
from orchestra.linux.binfmt import interpreters
from orchestra.model.platform import parse_platform

if TYPE_CHECKING:
    from orchestra.build.step import Graph


def check_processor(graph: Graph, number: int) -> None:
    """Raises EnvironmentLack for the command of a step that this machine cannot run."""
    step = graph.steps[number]
    if not isinstance(step, Run):
        return
    below = graph.steps[step.base]
    while isinstance(below, Copy | MakeDirectory | Run):
        below = graph.steps[below.base]
    machine = os.uname().machine
    host = parse_platform("", machine)
    if not isinstance(below, BaseImage) or host.runs(wanted := parse_platform(below.platform, machine)):
        return
    known = [one for one in interpreters() if one.architecture == wanted.architecture]
    if any(one.is_fixed for one in known):
        return
    what = f"the command is for {wanted}, and this machine is {host}"
    if known:
        hint = f"register {known[0].path} with the flag F (fix binary), so that containers need not have it"
        raise EnvironmentLack(what, hint=hint)
    hint = (
        "install an emulator (Debian: qemu-user-static and binfmt-support), or run the command in a stage that begins "
        "with FROM --platform=$BUILDPLATFORM"
    )
    raise EnvironmentLack(what, hint=hint)
