"""``ls``: the stacks of a home."""

from __future__ import annotations

import json
import os
import re
from collections import Counter

from orchestra.errors import EnvironmentLack, UserError
from orchestra.home import OWNER
from orchestra.record import Record, replace
from orchestra.stacks.boot.unit import enabled_stacks, load, program_of
from orchestra.stacks.containers import damage_of, look_at_containers
from orchestra.stacks.permission import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from orchestra.home import Home, StackHome
    from orchestra.stacks.context import Context


class StackRow(Record):
    """states: states of its containers, such as ``running``, with their numbers. damage: files that cannot be read.

    enabled: it comes back at boot. lost_program: the program that should bring it back and does not exist; else empty.
    user: whose stack it is, if those of other users are shown too.
    """

    name: str
    states: Mapping[str, int]
    files: tuple[str, ...]
    damage: Sequence[str]
    enabled: bool = False
    lost_program: str = ""
    user: str = ""


def ls(context: Context, filters: Sequence[str] = ()) -> list[StackRow]:
    """Sorted by name. filters: ``name=PATTERN``, a regular expression for a part of the name; one of several must
    match. Raises UserError for any other filter, EnvironmentLack if this user may not see the stacks.
    """
    patterns = [_pattern(text) for text in filters]
    with reading("stacks"):
        enabled = enabled_stacks(context.units)
        names = sorted(enabled.union(find_stacks(context.home)))
        return [
            _look(context, name, enabled=name in enabled)
            for name in names
            if not patterns or any(pattern.search(name) for pattern in patterns)
        ]


def ls_of_all(context: Context, filters: Sequence[str] = ()) -> tuple[list[StackRow], list[str]]:
    """The same of root and of every user: sorted by user, root first. Also the users whose home could not be read.

    Raises EnvironmentLack unless the caller is root.
    """
    from orchestra.stacks.other_users import ask_as, find_user_homes

    if context.user != 0:
        raise EnvironmentLack("only root may look into the homes of other users", hint="run it with sudo")
    rows, unread = [replace(row, user="root") for row in ls(context, filters)], []
    for user in find_user_homes():
        theirs = replace(context, home=user.home, environment=user.environment)

        def question(theirs: Context = theirs, uid: int = user.uid) -> list[Any]:
            os.environ[OWNER] = str(uid)
            return [
                [row.name, row.states, row.files, row.damage, row.enabled, row.lost_program]
                for row in ls(theirs, filters)
            ]

        answer = ask_as(user, question)
        if answer is None:
            unread.append(user.user)
        else:
            rows += [replace(StackRow(*map(_frozen, row)), user=user.user) for row in answer]
    return rows, unread


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def find_stacks(home: Home) -> list[str]:
    """Every name that has a desired state or leftovers. Raises PermissionError if this user may not see them."""
    names = {name for name in _list(home.stacks_data) if os.path.exists(home.stack(name).desired)}
    running = {name for name in _list(home.stacks_run) if not name.startswith("_")}  # builds are no stack
    names.update(name for name in running if _list(home.stack(name).containers))
    return sorted(names)


def _pattern(text: str) -> re.Pattern[str]:
    key, equals, value = text.partition("=")
    if key.strip().lower() != "name" or not equals:
        raise UserError(f"--filter {text}: there is no such filter", hint="name=PATTERN is the only one")
    try:
        return re.compile(value.strip())
    except re.error as error:
        raise UserError(f"--filter {text}: not a regular expression: {error}") from error


def _look(context: Context, name: str, *, enabled: bool) -> StackRow:
    there = look_at_containers(context, name)
    states = Counter(container.state for container in there)
    program = program_of(load(name, context.units)) if enabled else ""
    lost = "" if os.path.exists(program) else program
    return StackRow(name, states, _config_files(context.home.stack(name)), damage_of(there), enabled, lost)


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
