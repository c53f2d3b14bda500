"""Making one document of a stack's files: each is parsed, interpolated, made canonical and absolute, then merged.

The order for one document: interpolation, short to long syntax, absolute paths, ``include``, ``extends``. Documents
are merged in order, later over earlier. Included files count as the earliest.
"""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

from orchestra.compose.canonical import canonicalise
from orchestra.compose.environment import Environment, check_printable, decode_text, read_dotenv
from orchestra.compose.extends import MAXIMUM_CHAIN, Extender
from orchestra.compose.interpolate import interpolate
from orchestra.compose.merge import merge, settle
from orchestra.compose.nodes import WRONG, Map, Node, Scalar, Seq, plain
from orchestra.compose.paths import resolve_paths
from orchestra.compose.request import Passes
from orchestra.compose.source import Budget, Source, parse_documents
from orchestra.compose.traps import look_for_traps
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from orchestra.compose.problems import Problems
    from orchestra.compose.reader import Reader
    from orchestra.errors import Span

ALL_PASSES = Passes()
MAXIMUM_INCLUDED = 1000
_OF_THE_STACK = ("name", "version", "include")


class Layer(NamedTuple):
    """Documents before they were merged over earlier ones, and the variables that they used.

    service: if set, the documents are only what this service extends.
    """

    documents: tuple[Map, ...]
    environment: Environment
    service: str = ""


class Assembler:
    """Reads and merges the files of one load. Problems are collected, never raised.

    ``layers`` keeps the documents of ``assemble`` in the order of merging, lowest first, for ``compose.explain``.
    ``lent`` are values of variables that configs and secrets of included files name, see ``discovery.Project``.
    """

    def __init__(self, reader: Reader, problems: Problems, passes: Passes = ALL_PASSES) -> None:
        self.reader = reader
        self.problems = problems
        self.passes = passes
        self.layers: list[Layer] = []
        self.lent: dict[tuple[str, str, str], str] = {}
        self._included_files = 0
        self._budget = Budget()
        self._parsed: dict[str, tuple[Map, ...]] = {}

    def parse(self, path: str) -> tuple[Map, ...] | None:
        """The documents of a file as they are written; None if there is no such file."""
        if path not in self._parsed:
            content = self.reader.read(path)
            if content is None:
                return None
            text = check_printable(path, decode_text(path, content, self.problems), self.problems)
            self._parsed[path] = parse_documents(Source(path, text), self.problems, self._budget)
            self.problems.written = self._budget.written
        return self._parsed[path]

    def assemble(self, files: tuple[str, ...], directory: str, environment: Environment) -> Map:
        """The files of the stack as one settled document."""
        return settle(self._files(files, directory, environment, ()))

    def _files(self, files: tuple[str, ...], directory: str, environment: Environment, trail: tuple[str, ...]) -> Map:
        merged: Map | None = None
        for path in files:
            for raw in self.parse(path) or ():
                document = self._document(raw, path, directory, environment, (*trail, path))
                merged = document if merged is None else merge(merged, document, self.problems)
        if merged is None:
            from orchestra.errors import Span

            place = Span(files[0], 1, 1, 1, 2)
            if not self.problems.errors:  # of a file that cannot be read, or is no mapping
                self.problems.error("empty-file", "the Compose file is empty", place, (), "declare services:")
            return Map({}, {}, place)
        return merged

    def prepared(self, raw: Map, directory: str, environment: Environment) -> Map:
        """One document interpolated, canonical and with absolute paths."""
        document = interpolate(raw, environment.lookup, self.problems) if self.passes.interpolate else raw
        document = canonicalise(document, self.problems, may_hold_variables=not self.passes.interpolate)
        return resolve_paths(
            document,
            directory,
            environment.lookup,
            only_files=not self.passes.paths,
            note=self.reader.relative.add,
        )

    def _document(self, raw: Map, path: str, directory: str, environment: Environment, trail: tuple[str, ...]) -> Map:
        look_for_traps(raw, self.problems)
        document = self.prepared(raw, directory, environment)
        document = self._include(document, directory, environment, trail)
        extended = Extender(self, environment, self.problems).extend(document, path)
        self.layers.append(Layer((document,), environment))
        return extended

    def local(self, path: str) -> str:
        """The local file that stands for ``path``. Raises ComposeError when it cannot be fetched."""
        return self.reader.local(path)

    def lack(self, path: str) -> str:
        """Why ``parse`` found nothing."""
        return self.reader.lack(path)

    def extends(self, name: str, bases: tuple[Map, ...], environment: Environment) -> None:
        """Called by ``Extender``: ``bases``, lowest first, are below the service ``name`` of the next document."""
        self.layers.append(Layer(bases, environment, name))

    def _include(self, document: Map, directory: str, environment: Environment, trail: tuple[str, ...]) -> Map:
        entries = document.get("include")
        document = document.without("include")
        if not isinstance(entries, Seq):
            if isinstance(entries, Node) and not (isinstance(entries, Scalar) and entries.value is None):
                self.problems.error("wrong-type", "include must be a list", entries.span, ("include",))
                self.problems.leave_out(("include",))
            elif isinstance(entries, Scalar) and entries.tag == WRONG:
                self.problems.leave_out(("include",))
            return document
        for index, entry in enumerate(entries.items):
            paths = _strings(entry.get("path")) if isinstance(entry, Map) else ()
            if not isinstance(entry, Map) or not paths:
                path = entry.get("path") if isinstance(entry, Map) else None
                if path is None or path.tag != WRONG:
                    message = "an entry of include must be a path, or a mapping with a path"
                    self.problems.error("wrong-type", message, entry.span, ("include", index))
                self.problems.leave_out(("include",))
                continue
            included = self._included(entry, paths, environment, trail)
            if included is None:
                self.problems.leave_out(("include",))
            else:
                document = merge(included, document, self.problems)
        return document

    def _included(
        self, entry: Map, paths: tuple[str, ...], environment: Environment, trail: tuple[str, ...]
    ) -> Map | None:
        self._included_files += len(paths)
        if self._included_files > MAXIMUM_INCLUDED or len(trail) > MAXIMUM_CHAIN:
            message = (
                f"more than {MAXIMUM_INCLUDED} files are included, or includes are nested deeper than {MAXIMUM_CHAIN}"
            )
            self.problems.error("invalid-value", message, entry.span, ("include",))
            return None
        local: list[str] = []
        with self.problems.at(entry.span, ("include",)):
            local += map(self.reader.local, paths)
        if len(local) < len(paths):
            return None
        paths = tuple(local)
        for path in paths:
            if path in trail:
                chain = " -> ".join(os.path.basename(item) for item in (*trail[trail.index(path) :], path))
                self.problems.error("cycle", f"files include each other: {chain}", entry.span, ("include",))
                return None
            found: tuple[Map, ...] | None = None
            with self.problems.at(entry.span, ("include",)):
                found = self.parse(path)
                if found is None:
                    self.problems.error("file-not-found", self.reader.lack(path), entry.span, ("include",))
            if found is None or path in self.problems.unreadable:
                return None
        project_directory = entry.get("project_directory")
        directory = os.path.dirname(paths[0])
        if isinstance(project_directory, Scalar) and isinstance(project_directory.value, str):
            directory = project_directory.value
        own = self._included_environment(entry, directory, environment, entry.span)
        if own is None:
            return None
        included = self._files(paths, directory, own, trail)
        for key in _OF_THE_STACK:
            included = included.without(key)
        self._lend(included, own)
        return _with_bare_names(included, own)

    def _lend(self, included: Map, environment: Environment) -> None:
        for section in ("configs", "secrets"):
            declared = included.get(section)
            for key, item in declared.items.items() if isinstance(declared, Map) else ():
                variable = item.get("environment") if isinstance(item, Map) else None
                if isinstance(variable, Scalar) and isinstance(variable.value, str):
                    value = environment.lookup(variable.value)
                    if value is not None:
                        self.lent.setdefault((section, key, variable.value), value)

    def _included_environment(
        self, entry: Map, directory: str, environment: Environment, place: Span
    ) -> Environment | None:
        """The including file's variables first, then the entry's ``env_file``, or ``.env`` of its directory.

        None if one of them cannot be read.
        """
        is_whole = True
        named = _strings(entry.get("env_file"))
        for path in named or (os.path.join(directory, ".env"),):
            content: bytes | None = None
            with self.problems.at(place, ("include",)):
                content = self.reader.read(path)
                if content is None and named:
                    message = f"env file: {self.reader.lack(path)}"
                    self.problems.error("file-not-found", message, place, ("include",))
                    is_whole = False
            if content is None:
                continue
            text = decode_text(path, content, self.problems)
            environment = environment.with_defaults(read_dotenv(path, text, environment, self.problems), path)
            is_whole = is_whole and path not in self.problems.unreadable
        return environment if is_whole else None


def declared_name(documents: tuple[Map, ...], environment: Environment, problems: Problems) -> str | None:
    """The interpolated ``name`` of the last document that has one."""
    for document in reversed(documents):
        name = document.get("name")
        if isinstance(name, Scalar) and isinstance(name.value, str):
            only = Map({"name": name}, {"name": document.keys["name"]}, document.span)
            found = plain(interpolate(only, environment.lookup, problems))["name"]
            return None if found is None else str(found)
    return None


def _with_bare_names(document: Map, environment: Environment) -> Map:
    """Variables without a value take it from the included project's own environment, if they are set there."""
    services = document.get("services")
    if not isinstance(services, Map):
        return document
    changed = dict(services.items)
    for key, service in services.items.items():
        variables = service.get("environment") if isinstance(service, Map) else None
        if not (isinstance(service, Map) and isinstance(variables, Map)):
            continue
        values = dict(variables.items)
        for name, node in variables.items.items():
            value = environment.lookup(name) if isinstance(node, Scalar) and node.value is None else None
            if value is not None:
                values[name] = Scalar(value, node.span)
        changed[key] = service.with_item("environment", variables._replace(items=values))
    return document.with_item("services", services._replace(items=changed))


def _strings(node: Node | None) -> tuple[str, ...]:
    if not isinstance(node, Seq):
        return ()
    return tuple(item.value for item in node.items if isinstance(item, Scalar) and isinstance(item.value, str))
