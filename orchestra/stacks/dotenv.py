"""The ``COMPOSE_*`` variables of a ``.env`` file that the loader does not handle."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "COMPOSE_"


def compose_variables(path: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Ignores mistakes in the file: the load reports them."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return {}
    if _PREFIX.encode() not in content:
        return {}
    from orchestra.compose.dotenv import DotenvError, parse_dotenv

    try:
        found = parse_dotenv(content.decode("utf-8-sig"), environment.get, lambda _name, _line: None)
    except (DotenvError, UnicodeDecodeError):
        return {}
    return {name: value for name, value in found.items() if name.startswith(_PREFIX)}
