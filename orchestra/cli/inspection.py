"""The output of the ``inspect`` commands: one JSON array, or a template filled in for each item."""

from __future__ import annotations

import json

from orchestra.cli.render.template import JSON, fill
from orchestra.cli.template.values import encodable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def print_found(format: str, found: Sequence[Mapping[str, Any]]) -> None:
    """Raises UserError for an invalid template, and for names that an item lacks."""
    if format == JSON:
        print(json.dumps(encodable(found), indent=4))
        return
    for details in found:
        print(fill(format, details))
