"""Checks of the top level besides services: names, external resources, sources of configs and secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.regex import regex

if TYPE_CHECKING:
    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.network import Network
    from orchestra.compose.schema.stack import Stack, Volume

# Attributes that an external resource cannot have: it was made elsewhere.
_OF_OWN_NETWORKS = ("driver", "driver_opts", "labels", "internal", "attachable", "enable_ipv6")
_OF_OWN_VOLUMES = ("driver", "driver_opts", "labels")
_KEY = regex(r"[a-zA-Z0-9._-]+")
# Names on the host may become names of directories and files: none may lead out of its parent.
_SAFE_NAME = regex(r"(?!\.{1,2}\Z)[^/\x00-\x1f]{1,255}")


def check_resources(stack: Stack, context: Context) -> None:
    """Report mistakes in the resources that the file declares."""
    for attribute in ("networks", "volumes", "configs", "secrets", "models"):
        for key in getattr(stack, attribute):
            if not _KEY.fullmatch(key):
                _refuse_name((attribute, key), key, context, is_key=True)
    for attribute in ("configs", "secrets"):
        for key, item in getattr(stack, attribute).items():
            sources = [name for name in ("file", "environment", "content") if getattr(item, name)]
            path: Path = (attribute, key)
            # A config may use Swarm's own driver; Docker Compose refuses a secret that has nothing else.
            is_left = bool(item.driver) and attribute == "configs"
            if not item.external and not is_left and len(sources) != 1 and not context.problems.lacks(*path):
                problem = "needs one of" if not sources else "must have only one of"
                message = f"{attribute[:-1]} {key} {problem} file, environment and content"
                context.problems.error("conflict", message, context.span(path, key=True), path)
            elif item.external and sources:
                message = f"{attribute[:-1]} {key} is external, so it cannot have {sources[0]}"
                context.problems.error("conflict", message, context.span(path, key=True), path)
    for key, network in stack.networks.items():
        if network.external:
            _check_external("network", ("networks", key), network, _OF_OWN_NETWORKS, context)
        check_name(("networks", key, "name"), network.name, context)
    for key, volume in stack.volumes.items():
        if volume.external:
            _check_external("volume", ("volumes", key), volume, _OF_OWN_VOLUMES, context)
        check_name(("volumes", key, "name"), volume.name, context)


def check_name(path: Path, name: str | None, context: Context) -> None:
    """Refuse a name on the host that could not be a file's."""
    if name and not _SAFE_NAME.fullmatch(name):
        _refuse_name(path, name, context)


def _refuse_name(path: Path, name: str, context: Context, *, is_key: bool = False) -> None:
    shown = name if len(name) <= 60 else f"{name[:59]}…"
    message = (
        f"{shown!r} is not a valid {'container' if path[0] == 'services' else str(path[0]).removesuffix('s')} name"
    )
    hint = "use letters, digits, dots, dashes and underscores"
    context.problems.error("invalid-name", message, context.span(path, key=is_key), path, hint)


def _check_external(
    noun: str, path: Path, resource: Network | Volume, attributes: tuple[str, ...], context: Context
) -> None:
    for attribute in attributes:
        if not getattr(resource, attribute):
            continue
        place = (*path, attribute)
        message = f"{noun} {path[-1]} is external, so it cannot have {attribute}"
        context.problems.error("conflict", message, context.span(place, key=True), place)
