"""A stack as its file declares it, with the places of what it says, and the contents that it refers to."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestra.compose.complete import complete
from orchestra.compose.loading import assemble, declare
from orchestra.compose.nodes import locate
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestra.compose.nodes import Path
    from orchestra.compose.request import LoadRequest
    from orchestra.compose.schema.stack import FileObject, Stack
    from orchestra.errors import Diagnostic, Span


BINDS = "binds"
LARGEST = 1 << 20
"""Bytes of a config or secret that a cluster takes; https://kubernetes.io/docs/concepts/configuration/configmap/."""
Contents = Mapping[tuple[str, str], bytes | None]
"""By ``configs``, ``secrets`` or ``binds`` and the key or path; None where there is none."""


class Source(Record):
    """stack: complete, with the active services. contents: of configs and secrets, and of files of the project that
    are bound. warnings: of the load.
    """

    stack: Stack
    place: Callable[[Path], Span]
    contents: Contents
    warnings: tuple[Diagnostic, ...] = ()


def read(request: LoadRequest) -> Source:
    """Raises what a load raises. What only this machine could refuse is not checked."""
    assembled = assemble(request)
    reader, problems, project = assembled.reader, assembled.problems, assembled.project
    declared = declare(assembled)
    stack = complete(declared.wanted, assembled.name, declared.document, project, reader, problems)
    problems.raise_errors()

    def content(kind: str, key: str, item: FileObject) -> bytes | None:
        if item.content is not None:
            return item.content.encode()
        if item.environment:
            text = project.content_of(kind, key, item.environment)
            return None if text is None else text.encode()
        return reader.read(item.file) if item.file else None

    kinds = {"configs": stack.configs, "secrets": stack.secrets}
    named = {(kind, key): content(kind, key, item) for kind, items in kinds.items() for key, item in items.items()}
    bound = {(BINDS, path): reader.read(path) for path in _bound_files(stack, project.directory)}
    return Source(
        stack=stack,
        place=lambda path: locate(declared.document, path, key=True),
        contents={**named, **bound},
        warnings=tuple(problems.warnings),
    )


def _bound_files(stack: Stack, directory: str) -> Iterator[str]:
    """Small files of the project that services bind: settings, most likely."""
    for service in stack.services.values():
        for entry in service.volumes:
            path = entry.source if entry.type == "bind" else None
            if path and path.startswith(f"{directory}/") and os.path.isfile(path) and os.path.getsize(path) <= LARGEST:
                yield path
