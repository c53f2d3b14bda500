"""``orchestra ls``: the stacks of this home, in Docker Compose's columns."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from typing import NamedTuple

from orchestra.cli.looking import look_at_containers
from orchestra.cli.render.columns import output_width, render_columns
from orchestra.errors import EnvironmentLack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.home import Home, StackHome

HEADER = ("NAME", "STATUS", "CONFIG FILES")


class Stack(NamedTuple):
    """states: of its containers, ``running`` and such, with their numbers."""

    name: str
    states: dict[str, int]
    files: tuple[str, ...]

    @property
    def status(self) -> str:
        return ", ".join(f"{state}({number})" for state, number in sorted(self.states.items()))


def run(invocation: Invocation) -> int:
    values = invocation.values
    try:
        stacks = [_look(invocation, name) for name in find_stacks(invocation.home)]
    except PermissionError as error:
        hint = "run it as the user that the stacks belong to, or with sudo"
        raise EnvironmentLack(f"{error.filename} is not for this user to see", hint=hint) from error
    if not stacks:
        from orchestra.cli.elsewhere import tell_of_root

        tell_of_root(invocation)
    shown = [stack for stack in stacks if values["all"] or "running" in stack.states]
    sys.stdout.write(render(shown, values, output_width()))
    return 0


def render(stacks: list[Stack], values: dict[str, Any], width: int | None = None) -> str:
    if values["quiet"]:
        return "".join(f"{stack.name}\n" for stack in stacks)
    if values["format"] == "json":
        rows = [{"Name": s.name, "Status": s.status, "ConfigFiles": ",".join(s.files)} for s in stacks]
        return json.dumps(rows) + "\n"
    return render_columns(HEADER, [(s.name, s.status, ",".join(s.files)) for s in stacks], width=width)


def find_stacks(home: Home) -> list[str]:
    """Every name that something was asked for, or is left, under. PermissionError when that is not for us to see."""
    names = {name for name in _list(home.stacks_data) if os.path.exists(home.stack(name).desired)}
    names.update(name for name in _list(home.stacks_run) if _list(home.stack(name).containers))
    return sorted(names)


def _look(invocation: Invocation, name: str) -> Stack:
    there = look_at_containers(invocation, name)
    states = Counter(str(container["status"]["kind"]).lower() for container in there)
    return Stack(name, dict(states), _config_files(invocation.home.stack(name)))


def _config_files(home: StackHome) -> tuple[str, ...]:
    try:
        with open(home.desired, "rb") as file:
            return tuple(map(str, json.loads(file.read()).get("config_files", ())))
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return ()


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []
