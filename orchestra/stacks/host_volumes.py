"""``volume``: the volumes of a home, whether a stack created them or not."""

from __future__ import annotations

from orchestra.driver import Part
from orchestra.errors import UserError
from orchestra.record import Record, replace
from orchestra.stacks.assignments import read_assignments
from orchestra.stacks.filters import has_labels, parse_filters, parse_truth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.driver.local.volume.store import VolumeRecord
    from orchestra.home import Home
    from orchestra.stacks.context import Context

LIST_FILTERS = ("dangling", "driver", "label", "name")
PRUNE_FILTERS = ("label", "label!")
DRIVER = "local"
_FORM = "KEY=VALUE"


class HostVolume(Record):
    """mountpoint: the directory of its data, unless ``options`` name another place. stack: '' if no stack created it.

    size: bytes on disk below the mountpoint; 0 unless requested.
    """

    name: str
    created_at: float
    mountpoint: str
    labels: Mapping[str, str] = {}
    options: Mapping[str, str] = {}
    stack: str = ""
    size: int = 0


class NewVolume(Record):
    """name: None for an anonymous one. labels: ``KEY=VALUE`` or ``KEY``; options: ``KEY=VALUE`` of the driver."""

    name: str | None = None
    driver: str = DRIVER
    labels: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def list_volumes(context: Context, filters: Sequence[str] = ()) -> list[HostVolume]:
    """Sorted by name. filters: ``KEY=VALUE``; all labels must match, and one of each other key. Raises UserError."""
    asked = parse_filters(filters, LIST_FILTERS)
    dangling = {parse_truth("dangling", value) for value in asked.get("dangling", ())}
    found = []
    for record in _records(context):
        volume = _volume(context.home, record)
        if not _fits(volume, asked) or (dangling and _is_used(context.home, record) in dangling):
            continue
        found.append(volume)
    return found


def find_volume(context: Context, name: str) -> HostVolume:
    """Raises UserError if there is none."""
    context.need(Part.VOLUMES)
    from orchestra.driver.local.volume.store import NAME, load_record

    record = load_record(context.home, name) if NAME.fullmatch(name) else None
    if record is None:
        from orchestra.nearest import suggest

        known = [each.name for each in _records(context)]
        raise UserError(f"no such volume: {name}", hint=suggest(name, known, "volumes") or "there are no volumes")
    return _volume(context.home, record)


def create_volume(context: Context, asked: NewVolume) -> str:
    """Return its name; an existing volume is not changed. Raises UserError or FatalError."""
    context.need(Part.VOLUMES)
    from orchestra.driver.local.volume.use import make_standalone

    options = read_assignments("--opt", asked.options, _FORM, is_whole=True)
    made = make_standalone(
        context.home, asked.name, asked.driver, read_assignments("--label", asked.labels, _FORM), options
    )
    return made.name


def remove_volume(context: Context, name: str, *, force: bool = False) -> int | None:
    """Return the bytes that this has freed. Raises UserError if something uses the volume, and FatalError.

    If it does not exist, raises UserError, or with ``force`` returns None.
    """
    context.need(Part.VOLUMES)
    from orchestra.driver.local.volume.store import NAME
    from orchestra.driver.local.volume.use import remove_unused

    size = remove_unused(context.home, name) if NAME.fullmatch(name) else None
    if size is None and not force:
        find_volume(context, name)
    return size


def find_unused(context: Context, filters: Sequence[str] = (), *, everything: bool = False) -> list[HostVolume]:
    """Unused volumes with sizes; only anonymous ones unless ``everything``. Raises UserError for unknown filters."""
    asked = parse_filters(filters, PRUNE_FILTERS)
    from orchestra.driver.local.image.removal import tree_size
    from orchestra.driver.local.volume.use import is_anonymous

    found = []
    for record in _records(context):
        volume = _volume(context.home, record)
        if (everything or is_anonymous(record)) and _fits(volume, asked) and not _is_used(context.home, record):
            found.append(replace(volume, size=tree_size(volume.mountpoint)))
    return found


def _records(context: Context) -> list[VolumeRecord]:
    context.need(Part.VOLUMES)
    from orchestra.driver.local.volume.store import load_records

    return list(load_records(context.home))


def _volume(home: Home, record: VolumeRecord) -> HostVolume:
    from orchestra.driver.local.volume.store import volume_data
    from orchestra.driver.local.volume.use import ANONYMOUS, is_anonymous

    labels = {**record.labels, ANONYMOUS: ""} if is_anonymous(record) else record.labels
    mountpoint = volume_data(home, record.name)
    return HostVolume(record.name, record.created_at, mountpoint, labels, record.driver_options, record.stack)


def _is_used(home: Home, record: VolumeRecord) -> bool:
    from orchestra.driver.local.volume.use import find_reasons

    return bool(find_reasons(home, record))


def _fits(volume: HostVolume, asked: Mapping[str, Sequence[str]]) -> bool:
    names, drivers = asked.get("name", ()), asked.get("driver", ())
    return (
        (not names or any(name in volume.name for name in names))
        and (not drivers or DRIVER in drivers)
        and has_labels(asked, volume.labels)
    )
