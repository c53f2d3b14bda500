"""Fetches a Compose file from elsewhere for the loader: resolves a reference to the path of a local copy."""

from __future__ import annotations

from orchestra.errors import OrchestraError, UserError
from orchestra.stacks.sources.copies import Copies
from orchestra.stacks.sources.reference import OciSource, parse_source
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.stacks.sources.reference import Source

_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false")


def fetch_file(reference: str, directory: str, environment: Mapping[str, str]) -> str:
    """directory: of the copies. Raises OrchestraError, with a hint how to do without a network if that is possible."""
    source = parse_source(reference)
    _check_switch(source, environment)
    copies = Copies(directory)
    try:
        path, pinned = _fetch(source, copies, environment)
    except OrchestraError as error:
        latest = copies.latest(reference)
        if not latest or latest == reference:
            raise
        hint = f"the copy fetched before can be used without a network: {visible(latest)}"
        raise type(error)(error.message, hint="; ".join(filter(None, (error.hint, hint)))) from error
    if copies.latest(reference) != pinned:
        copies.note_latest(reference, pinned)
    return path


def _fetch(source: Source, copies: Copies, environment: Mapping[str, str]) -> tuple[str, str]:
    if isinstance(source, OciSource):
        from orchestra.stacks.sources.registry import fetch_stack

        published = fetch_stack(source, copies, environment)
        return published.path, published.pinned
    from orchestra.stacks.sources.git import fetch_commit, find_file

    commit = fetch_commit(source, copies, environment)
    return find_file(source, commit.folder), source.at(commit.id)


def _check_switch(source: Source, environment: Mapping[str, str]) -> None:
    """As in Docker Compose, a source is enabled unless its variable disables it."""
    if isinstance(source, OciSource):
        name, value = "COMPOSE_EXPERIMENTAL_OCI_REMOTE", environment.get("COMPOSE_EXPERIMENTAL_OCI_REMOTE", "")
    else:
        name, value = "COMPOSE_EXPERIMENTAL_GIT_REMOTE", environment.get("COMPOSE_EXPERIMENTAL_GIT_REMOTE", "")
    if value.lower() in _FALSE:
        raise UserError(f"Compose files of this kind are switched off by {name}", hint=f"unset {name}")
    if value.lower() not in ("", *_TRUE):
        raise UserError(f"{name} must be true or false, not {value!r}")
