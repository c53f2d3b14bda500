"""What the user of a foreground ``up`` may ask for by a key."""

from __future__ import annotations

from orchestra.record import Record


class Detach(Record):
    """End the command; the containers keep running."""


class ToggleWatch(Record):
    """Start watching files, or stop it."""


class OpenInBrowser(Record):
    """Show the first published port."""


class ToggleLogs(Record):
    """Hide the logs of a service, or show them."""

    service: str


Key = Detach | ToggleWatch | OpenInBrowser | ToggleLogs
