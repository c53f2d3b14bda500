"""Environment variables that replace options: Docker Compose's ``COMPOSE_*`` for the command line.

They are read from the process environment, then from the ``.env`` file in the project's directory for those not set
there. The loader handles those that affect how a file is read.
"""

from __future__ import annotations

import os

from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, TextIO

    from orchestra.cli.invocation import Invocation

ANSI = ("auto", "never", "always")
PROGRESS = ("auto", "tty", "plain", "json", "rawjson", "quiet")
_TRUE = frozenset({"1", "true", "yes", "t", "y"})


def settle(invocation: Invocation, process: Mapping[str, str]) -> None:
    """Complete the options of a command line with variables, and replace hidden options by the usual ones.

    Raises UserError for invalid values, and for those that conflict.
    """
    shared, values = invocation.shared, invocation.values
    environment = {**_dotenv(shared, process), **process}
    shared["host"] = shared["host"] or process.get("ORCHESTRA_HOST")
    shared["project_directory"] = shared["project_directory"] or shared["workdir"]
    if shared["no_ansi"]:
        shared["ansi"] = "never"
    shared["ansi"] = shared["ansi"] or _choice("COMPOSE_ANSI", environment.get("COMPOSE_ANSI"), ANSI)
    shared["progress"] = shared["progress"] or _choice(
        "COMPOSE_PROGRESS", environment.get("COMPOSE_PROGRESS"), PROGRESS
    )
    if shared["parallel"] is None:
        shared["parallel"] = _number("COMPOSE_PARALLEL_LIMIT", environment.get("COMPOSE_PARALLEL_LIMIT"))
    shared["status_stdout"] = _is_true(environment.get("COMPOSE_STATUS_STDOUT"))
    shared["ignore_orphans"] = _is_true(environment.get("COMPOSE_IGNORE_ORPHANS"))
    if values.get("menu", False) is None:
        variable = environment.get("COMPOSE_MENU")
        values["menu"] = not variable or _is_true(variable)
    if "remove_orphans" in values:
        values["remove_orphans"] = values["remove_orphans"] or _is_true(environment.get("COMPOSE_REMOVE_ORPHANS"))
        if values["remove_orphans"] and shared["ignore_orphans"]:
            raise UserError(
                "cannot combine COMPOSE_IGNORE_ORPHANS and --remove-orphans",
                hint="unset COMPOSE_IGNORE_ORPHANS to have orphans removed",
            )


def progress_type(invocation: Invocation, stream: TextIO) -> str:
    """``--progress`` without ``auto``, which is ``tty`` on a terminal that supports cursor movement, else ``plain``."""
    mode: str = invocation.shared["progress"] or "auto"
    if mode != "auto":
        return mode
    return "tty" if stream.isatty() and invocation.shared["ansi"] != "never" else "plain"


def _is_true(value: str | None) -> bool:
    return (value or "").lower() in _TRUE


def _choice(name: str, value: str | None, choices: Sequence[str]) -> str:
    """The variable's value, or the first choice if it is not set."""
    if value and value not in choices:
        raise UserError(f"{name} is {value!r}", hint=f"use one of {', '.join(choices)}")
    return value or choices[0]


def _number(name: str, value: str | None) -> int | None:
    try:
        return int(value) if value else None
    except ValueError:
        raise UserError(f"{name} is {value!r}, not a number", hint="use a number, or -1 for no limit") from None


def _dotenv(shared: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    others = shared["env_files"] or environment.get("COMPOSE_ENV_FILES")
    if others or _is_true(environment.get("COMPOSE_DISABLE_ENV_FILE")):
        return {}
    from orchestra.stacks.dotenv import compose_variables

    first = next((os.path.dirname(path) for path in shared["files"] if path != "-"), "")
    return compose_variables(os.path.join(shared["project_directory"] or first, ".env"), environment)
