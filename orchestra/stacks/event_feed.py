"""The events of a stack for as long as it is looked at: through ends, starts and crashes of its supervisor."""

from __future__ import annotations

import json
from contextlib import suppress

from orchestra.control.arrival import Arrival
from orchestra.errors import OrchestraError
from orchestra.linux.readiness import first_readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.control.listening import Listening
    from orchestra.home import StackHome
    from orchestra.model.event import Event
    from orchestra.stacks.context import Context

AGAIN = 1.0
"""Seconds after which a supervisor that did not answer is asked again."""


def feed_events(context: Context, stack: str, hear: Callable[[Event], None], stop: int) -> None:
    """Return when the descriptor ``stop`` is readable. Needs no supervisor, and starts none.

    hear: is called with a snapshot whenever a supervisor begins to answer, then with what happens.
    """
    home = context.home.stack(stack)
    while True:
        with Arrival(home.run) as arrival, Arrival(home.data) as asking:
            listening, patience = _listen(context, home)
            if listening is None:
                if stop in first_readable([arrival.fileno(), asking.fileno(), stop], patience):
                    return
                continue
        try:
            if _relay(listening, hear, stop):
                return
        finally:
            listening.close()


def _listen(context: Context, home: StackHome) -> tuple[Listening | None, float | None]:
    """The conversation, or how many seconds to wait for one unless something changes before."""
    if not _is_wanted(home):
        return None, None
    try:
        return context.client(home.name).listen(), AGAIN
    except (OSError, OrchestraError):
        return None, AGAIN  # of another version, or it keeps exiting


def _relay(listening: Listening, hear: Callable[[Event], None], stop: int) -> bool:
    """Whether it was stopped; False when the supervisor does not answer any more."""
    while True:
        if not listening.is_ready and stop in first_readable([listening.fileno(), stop]):
            return True
        arrived = None
        with suppress(OSError, OrchestraError, ValueError):
            arrived = listening.read()
        if arrived is None:
            return False
        for event in arrived:
            hear(event)


def _is_wanted(home: StackHome) -> bool:
    """To ask for the supervisor of a stack that goes down would have its fork server start another one."""
    try:
        with open(home.desired, "rb") as file:
            desired = json.loads(file.read())
        return bool(desired.get("containers") or desired.get("networks"))
    except (OSError, ValueError, AttributeError):
        return False
