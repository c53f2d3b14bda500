"""Events of a stack as they arrive, for a caller with a loop of its own. Standard library only."""

from __future__ import annotations

from orchestra.control import wire
from orchestra.model.event import decode_event
from orchestra.model.request import EventsRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.control.conversation import Conversation
    from orchestra.model.event import Event


class Listening:
    """``read`` has something to say if ``is_ready``, else when ``fileno`` is readable.

    Raises ConnectionResetError if it breaks off.
    """

    def __init__(self, conversation: Conversation, driver: str) -> None:
        self._conversation = conversation
        conversation.greet(wire.encode_request(EventsRequest(), driver=driver))

    def fileno(self) -> int:
        return self._conversation.fileno()

    @property
    def is_ready(self) -> bool:
        return self._conversation.is_ready

    def read(self) -> list[Event] | None:
        """What has arrived, after waiting for something; None at the end, when the supervisor has left."""
        events: list[Event] = []
        for message in self._conversation.arrived():
            if "error" in message:
                raise wire.rebuild_error(message["error"])
            if "event" not in message:
                return events or None
            events.append(decode_event(message["event"]))
        return events

    def close(self) -> None:
        self._conversation.close()
