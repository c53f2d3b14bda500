"""From the merged document to a ``Stack``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.doubt import without_refused
from orchestra.compose.nodes import Map, plain
from orchestra.compose.schema.reading import read
from orchestra.compose.schema.stack import Stack

if TYPE_CHECKING:
    from orchestra.compose.problems import Problems


def validate(document: Map, problems: Problems) -> tuple[Map, Stack]:
    """The document without what was refused before and what the schema refuses, and the stack made from it.

    Raises ComposeError if there are more mistakes than are reported.
    """
    if problems.errors:
        document = without_refused(document, (), problems)
    try:
        return document, read(Stack, plain(document))
    except ValueError:
        from orchestra.compose.mistakes import without_mistakes

        document = without_mistakes(document, problems)
        return document, read(Stack, plain(document))
