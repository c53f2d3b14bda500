"""Which updates of services are paused, from the stack's own file. Cheap where none is."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.home import StackHome


def paused_updates(home: StackHome) -> Mapping[str, str]:
    """The reason by service; nothing if this user may not know, or the file is damaged."""
    try:
        with open(home.desired, "rb") as file:
            data = file.read()
    except (FileNotFoundError, PermissionError):
        return {}
    if b'"paused"' not in data:
        return {}
    import json

    from orchestra.model.update import Ending

    try:
        failing = json.loads(data)["failing"]
        return {name: str(each["reason"]) for name, each in failing.items() if each["ending"] == Ending.PAUSED}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}
