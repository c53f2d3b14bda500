"""The words that fit at a spot: from the table if it lists them, else from the stacks."""

from __future__ import annotations

import os

from orchestra.cli.complete.spot import Choice
from orchestra.cli.invocation import Invocation
from orchestra.errors import OrchestraError
from orchestra.record import Record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from orchestra.cli.complete.spot import Spot, Value
    from orchestra.stacks.context import Context

    Source = Callable[[Context, str, Sequence[str]], list[str]]
    """Finds names, given the beginning of the word and the arguments before it."""

FILES, DIRECTORIES = "files", "directories"
"""Completions that the shell itself does better."""


class Words(Record):
    """Whole words with their meanings, or what the shell should complete instead."""

    meanings: Mapping[str, str]
    shell: str = ""


def find_words(spot: Spot) -> Words:
    """Find no words if the file is broken, or the user may not look: errors cannot be shown here."""
    kind = spot.kind
    if isinstance(kind, Choice):
        return Words(_fitting(spot, kind.meanings))
    source = SOURCES.get(kind.name) or SOURCES.get(kind.metavar)
    if source is None:
        return Words({})
    if isinstance(source, str):
        return Words({}, source)
    found = _asked(spot, kind, source)
    is_path = kind.metavar in PATHS and not found and ":" not in spot.begun
    return Words(found, FILES if is_path else "")


def _asked(spot: Spot, kind: Value, source: Source) -> dict[str, str]:
    try:
        names = source(_context(spot.shared), spot.begun, kind.earlier)
        return _fitting(spot, {name: "" for name in names if name not in kind.taken})
    except (OrchestraError, OSError):
        return {}


def _fitting(spot: Spot, meanings: Mapping[str, str]) -> dict[str, str]:
    """Whole words. Names with characters special to a shell are left out: no valid name has them."""
    return {
        f"{spot.before}{word}": help
        for word, help in meanings.items()
        if word.startswith(spot.begun) and not set(word) - _PLAIN
    }


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.,:/@=+")


def _context(shared: Mapping[str, Any]) -> Context:
    """Expand ``~``, which shells pass as it was typed."""
    paths = {name: [os.path.expanduser(path) for path in shared[name]] for name in ("files", "env_files")}
    directory = shared["project_directory"]
    paths["project_directory"] = directory and os.path.expanduser(directory)
    # Completion does not wait for a network: it uses only remembered results.
    return replace(Invocation("", {**shared, **paths}, {}).context, may_fetch=False)


def _services(context: Context, _begun: str, _earlier: Sequence[str]) -> list[str]:
    from orchestra.stacks.names import find_service_names

    return find_service_names(context)


def _services_and(end: str) -> Source:
    """Services at the beginning of a value."""
    return lambda context, begun, earlier: [f"{name}{end}" for name in _services(context, begun, earlier)]


def _services_and_containers(context: Context, _begun: str, _earlier: Sequence[str]) -> list[str]:
    from orchestra.stacks.names import find_container_names, find_service_names

    return [*find_service_names(context), *find_container_names(context)]


def _containers(context: Context, _begun: str, _earlier: Sequence[str]) -> list[str]:
    from orchestra.stacks.names import find_container_names

    return find_container_names(context)


def _listed_services(context: Context, begun: str, earlier: Sequence[str]) -> list[str]:
    """Services in a list separated by commas."""
    listed = begun.split(",")[:-1]
    return [",".join((*listed, name)) for name in _services(context, begun, earlier) if name not in listed]


def _ports(context: Context, _begun: str, earlier: Sequence[str]) -> list[str]:
    """The ports of the service that is named before them."""
    from orchestra.stacks.names import find_ports

    return find_ports(context, earlier[0])


def _profiles(context: Context, _begun: str, _earlier: Sequence[str]) -> list[str]:
    from orchestra.stacks.names import find_profile_names

    return find_profile_names(context)


def _stacks(context: Context, _begun: str, _earlier: Sequence[str]) -> list[str]:
    from orchestra.stacks.names import find_stack_names

    return find_stack_names(context)


def _revisions(context: Context, _begun: str, _earlier: Sequence[str]) -> list[str]:
    from orchestra.stacks.history import history

    return [str(revision.number) for revision in history(context)]


def _capabilities(_context: Context, _begun: str, _earlier: Sequence[str]) -> list[str]:
    from orchestra.linux.security.capabilities import NAMES

    return [name.removeprefix("CAP_") for name in NAMES]


def _signals(_context: Context, _begun: str, _earlier: Sequence[str]) -> list[str]:
    from signal import Signals

    return [signal.name for signal in Signals]


def _volumes(context: Context, _begun: str, _earlier: Sequence[str]) -> list[str]:
    from orchestra.stacks.names import find_volume_names

    return find_volume_names(context)


def _networks(context: Context, _begun: str, _earlier: Sequence[str]) -> list[str]:
    from orchestra.stacks.names import find_network_names

    return find_network_names(context)


def _images(context: Context, _begun: str, _earlier: Sequence[str]) -> list[str]:
    from orchestra.stacks.names import find_image_names

    return find_image_names(context)


SOURCES: Mapping[str, Source | str] = {
    "project_name": _stacks,
    "stacks": _stacks,
    "subjects": _services_and_containers,
    "CONTAINER": _containers,
    "profiles": _profiles,
    "project_directory": DIRECTORIES,
    "SERVICE": _services,
    "SERVICE=NUM": _services_and("="),
    "SERVICE.PATH": _services_and("."),
    "SERVICES": _listed_services,
    "PRIVATE_PORT": _ports,
    "VOLUME": _volumes,
    "NETWORK": _networks,
    "REFERENCE": _images,
    "CAPABILITY": _capabilities,
    "SIGNAL": _signals,
    "REVISION": _revisions,
    "SOURCE": _images,
    "SRC_PATH": _services_and(":"),
    "DEST_PATH": _services_and(":"),
    "FILE": FILES,
    "SOURCE:TARGET": FILES,
    "PATH": DIRECTORIES,
    "dockerfile": FILES,
    "PROGRAM": FILES,
}
"""Sources by the name of an option or argument, else by its metavar."""
PATHS = ("SRC_PATH", "DEST_PATH")
"""Values that may also be a file of this machine: if no name fits, the shell completes a file."""
