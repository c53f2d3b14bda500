"""Whether a container that has ended will run again, according to files."""

from __future__ import annotations

import json

from orchestra.model.codec import decode
from orchestra.model.container import Restart
from orchestra.model.observed import Exited
from orchestra.model.wish import Wish
from orchestra.plan.restart import next_run
from orchestra.shim.launch import is_running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.home import StackHome
    from orchestra.model.observed import Container
    from orchestra.plan.restart import NextRun


def find_next_run(stack_home: StackHome, container: Container) -> NextRun | None:
    """From the last request, and only if there is a supervisor to do it and the last attempt did not fail."""
    if (
        container.error
        or not isinstance(container.status, Exited)
        or container.status.stopped
        or not is_running(stack_home)
    ):
        return None
    try:
        with open(stack_home.desired, "rb") as file:
            desired = json.loads(file.read())
        spec = next((s for s in desired.get("containers", ()) if s["name"] == container.name), None)
        wish = decode(Wish, desired.get("wishes", {}).get(container.service, {}))
        own = decode(Wish, desired.get("apart", {}).get(container.name, {}))
        if spec is None or (own if own.at > wish.at else wish).rests:
            return None
        return next_run(decode(Restart, spec.get("restart", {})), container, container.status)
    except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError):
        return None  # a supervisor does nothing either while this is unknown
