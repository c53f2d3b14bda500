"""Variables on a command line: ``NAME=VALUE``, or a name that takes its value from the environment."""

from __future__ import annotations

from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def read_variables(option: str, entries: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Without the names that the environment lacks. option: for messages. Raises UserError."""
    found: dict[str, str] = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not name:
            raise UserError(f"{option} {entry}: expected NAME=VALUE")
        if equals:
            found[name] = value
        elif name in environment:
            found[name] = environment[name]
    return found
