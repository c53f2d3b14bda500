"""What a translation makes of a stack."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a record's hints are read
from typing import TYPE_CHECKING, Any

from orchestra.record import Record

if TYPE_CHECKING:
    from orchestra.errors import Diagnostic

Object = dict[str, Any]
"""An object of another engine as plain data."""


class Translation(Record):
    """losses: what of the file has no counterpart in the objects (``not-translated``) or only a part or another effect
    (``approximated``), with reasons. files: contents beside the objects, by the names that they have there.
    """

    objects: tuple[Object, ...]
    losses: tuple[Diagnostic, ...]
    files: Mapping[str, bytes] = {}
