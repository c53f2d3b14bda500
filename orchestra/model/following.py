"""A stack whose files are followed, as its supervisor remembers it."""

from __future__ import annotations

from orchestra.model.edit import Edit, Follow
from orchestra.model.request import Changes
from orchestra.record import Record


class Following(Record):
    """changes: the options of each ``up`` that an edit leads to. edit: None before the first one."""

    follow: Follow
    changes: Changes
    edit: Edit | None = None

    @property
    def refused(self) -> bool:
        """Whether the files are in a state that was not applied."""
        return self.edit is not None and bool(self.edit.error)
