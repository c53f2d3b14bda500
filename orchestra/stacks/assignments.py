"""``NAME=VALUE``, as options of commands take it. Standard library only."""

from __future__ import annotations

from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def read_assignments(
    option: str, entries: Iterable[str], form: str = "NAME=VALUE", *, is_whole: bool = False
) -> dict[str, str]:
    """The values by name; empty for a name alone, unless ``is_whole``. The last of several with one name counts.

    option, form: for the message of the UserError that is raised.
    """
    found = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not name or (is_whole and not equals):
            raise UserError(f"{option} {entry}: expected {form}")
        found[name] = value
    return found
