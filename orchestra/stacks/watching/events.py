"""What a watch reports, as a closed union."""

from __future__ import annotations

from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.build.event import BuildEvent


class WatchEnabled(Record):
    """Changes are acted on from now on."""

    rules: int


class Syncing(Record):
    """count: of changed paths."""

    service: str
    count: int


class Rebuilding(Record):
    """The image of the service is built."""

    service: str


class Building(Record):
    """What happens in the build of a service. event: None at the end of the build, whatever it is."""

    service: str
    event: BuildEvent | None


class Rebuilt(Record):
    """The containers of the service are those of the new image."""

    service: str


class Restarted(Record):
    services: tuple[str, ...]


class Output(Record):
    """A line of what a command wrote."""

    container: str
    text: str


class Executed(Record):
    container: str
    command: tuple[str, ...]
    exit_code: int


class Trouble(Record):
    """Something was left out; the watch goes on. service: empty if it concerns no single one."""

    service: str
    text: str


WatchEvent = WatchEnabled | Syncing | Rebuilding | Building | Rebuilt | Restarted | Output | Executed | Trouble
