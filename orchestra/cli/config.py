"""``orchestra config``: print the checked file in canonical form, or one kind of information about it."""

from __future__ import annotations

import os
import sys

from orchestra.cli.warnings import warn_of_notes
from orchestra.stacks.config import ConfigOptions, View, config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation

PARTS = {
    "no_interpolate": "interpolate",
    "no_path_resolution": "paths",
    "no_env_resolution": "environment",
    "no_normalize": "complete",
    "no_consistency": "check",
}
"""Options that skip a pass of the load, and the pass's name."""

VIEWS = ("schema", "explain", "environment", "variables", "lock_image_digests", "hash")
"""Options that select a view; the first one given counts."""
LISTS = ("services", "volumes", "networks", "images", "models", "profiles")


def run(invocation: Invocation) -> int:
    values = invocation.values
    if values["variables"] and values["selected"]:
        print("warning: service filtering is not applied when --variables is set", file=sys.stderr)
    result = config(invocation.context, _read_options(values))
    # The text shows every attribute; a check also names those without an effect.
    warn_of_notes(invocation, result.warnings + (result.not_applied if values["quiet"] else ()))
    if values["quiet"]:
        return 0
    if result.parts:
        for name, content in result.parts.items():
            with open(os.path.join(values["output"], name), "wb", opener=_for_the_owner) as file:
                file.write(content)
    elif values["output"]:
        with open(values["output"], "w", encoding="utf-8") as file:
            file.write(result.text)
    else:
        # Other programs read this as a Compose file, which is UTF-8 in every locale.
        sys.stdout.buffer.write(result.text.encode("utf-8", "surrogateescape"))
    return 0


def _for_the_owner(path: str, flags: int) -> int:
    """Secrets may be among them."""
    return os.open(path, flags, 0o600)


def _read_options(values: dict[str, Any]) -> ConfigOptions:
    view = View(next((name for name in (*VIEWS, *LISTS) if values[name]), View.WHOLE))
    return ConfigOptions(
        services=tuple(values["selected"]),
        view=view,
        subject=str(values[view]) if view in (View.HASHES, View.EXPLANATION) else "",
        format=values["format"],
        pinned=values["resolve_image_digests"],
        target=values["target"] or "",
        as_files=bool(values["target"] and values["output"]) and os.path.isdir(values["output"]),
        left_out=tuple(name for option, name in PARTS.items() if values[option]),
    )
