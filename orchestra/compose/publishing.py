"""The files of a stack for publishing: unchanged, except for the names of files that are published with them.

Variables stay variables. Only ``extends.file`` and, if requested, ``env_file`` are replaced, at their places
in the text: the files that they name are beside the Compose file once it is published.
"""

from __future__ import annotations

import hashlib
import os.path
from typing import TYPE_CHECKING

from orchestra.compose.canonical import canonicalise
from orchestra.compose.loading import assemble
from orchestra.compose.nodes import Map, Scalar, Seq, find, find_map
from orchestra.compose.paths import is_remote
from orchestra.compose.problems import LINE_BREAK, Problems
from orchestra.record import Record
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestra.compose.loading import Assembled
    from orchestra.compose.nodes import Node
    from orchestra.compose.request import LoadRequest
    from orchestra.errors import Span

_DROPPED = regex(r"[^A-Za-z0-9._-]")


class PublishedFile(Record):
    """name: its published name. documents: as written, in the long form. is_base: only extended, not merged itself."""

    name: str
    text: str
    documents: tuple[Map, ...]
    is_base: bool


class Publication(Record):
    """files: in the order of merging, then those that they extend. env_files: paths by published name.

    included: files of this machine that are included, which are not published. directory: of the stack.
    """

    files: tuple[PublishedFile, ...]
    env_files: Mapping[str, str]
    included: tuple[str, ...]
    directory: str


def collect(request: LoadRequest, *, with_env: bool) -> Publication:
    """Raises the errors of a load. with_env: include the files of ``env_file``."""
    collector = _Collector(assemble(request), with_env=with_env)
    collector.problems.raise_errors()
    return collector.collect()


class _Collector:
    def __init__(self, assembled: Assembled, *, with_env: bool) -> None:
        self.problems = assembled.problems
        self._assembler = assembled.assembler
        self._project = assembled.project
        self._with_env = with_env
        self._bases: dict[str, str] = {}
        self._env_files: dict[str, str] = {}
        self._included: list[str] = []

    def collect(self) -> Publication:
        files = [self._file(path, os.path.basename(path)) for path in self._project.files]
        done: set[str] = set()
        while waiting := [path for path in self._bases if path not in done]:
            for path in waiting:
                done.add(path)
                files.append(self._file(path, self._bases[path], is_base=True))
        names = {name: path for path, name in self._env_files.items()}
        return Publication(tuple(files), names, tuple(self._included), self._project.directory)

    def _file(self, path: str, name: str, *, is_base: bool = False) -> PublishedFile:
        directory = os.path.dirname(path) if is_base else self._project.directory
        content = self._assembler.reader.read(path) or b""
        edits: dict[Span, str] = {}
        documents = self._assembler.parse(path) or ()
        for raw in documents:
            prepared = self._assembler.prepared(raw, directory, self._project.environment)
            edits.update(self._edits(prepared, path))
            if not is_base:
                self._included += (place for place in _included(prepared) if not is_remote(place))
        text = _edited(content.decode("utf-8-sig"), edits)
        lenient = Problems(lenient=True)
        long = tuple(canonicalise(raw, lenient, may_hold_variables=True) for raw in documents)
        return PublishedFile("compose.yaml" if name == "-" else name, text, long, is_base)

    def _edits(self, document: Map, path: str) -> Iterator[tuple[Span, str]]:
        services = find_map(document, "services")
        for service in services.items.values() if services else ():
            if not isinstance(service, Map):
                continue
            file = find(service, ("extends", "file"))
            base = _text(file)
            if file is not None and base and base != path and not is_remote(base):
                yield file.span, self._bases.setdefault(base, self._name(base))
            env_files = service.get("env_file")
            for entry in env_files.items if isinstance(env_files, Seq) and self._with_env else ():
                file = entry.get("path") if isinstance(entry, Map) else None
                place = _text(file)
                if file is not None and self._assembler.reader.read(place) is not None:
                    yield file.span, self._env_files.setdefault(place, self._name(place))

    def _name(self, path: str) -> str:
        """A name that is the same on every machine, and differs for every file."""
        relative = os.path.relpath(path, self._project.directory)
        return f"{hashlib.sha256(relative.encode()).hexdigest()[:12]}-{_DROPPED.sub('', os.path.basename(path))}"


def _included(document: Map) -> Iterator[str]:
    entries = document.get("include")
    for entry in entries.items if isinstance(entries, Seq) else ():
        paths = entry.get("path") if isinstance(entry, Map) else None
        yield from filter(None, map(_text, paths.items if isinstance(paths, Seq) else ()))


def _text(node: Node | None) -> str:
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else ""


def _edited(text: str, edits: Mapping[Span, str]) -> str:
    """``text`` with each span replaced by a quoted name."""
    starts = [0, *(match.end() for match in LINE_BREAK.finditer(text))]
    for span, name in sorted(edits.items(), key=lambda edit: (edit[0].line, edit[0].column), reverse=True):
        begin, end = starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1
        text = f'{text[:begin]}"{name}"{text[end:]}'
    return text
