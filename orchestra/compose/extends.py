"""``extends``: a service built upon another, of the same or another file."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING, Protocol

from orchestra.compose.merge import merge_at
from orchestra.compose.nodes import RESET, WRONG, Map, Scalar, find_map, plain, walk, wrong
from orchestra.compose.schema.values import describe
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from orchestra.compose.environment import Environment
    from orchestra.compose.nodes import Node, Path
    from orchestra.compose.problems import Problems
    from orchestra.errors import Span

MAXIMUM_CHAIN = 100
Trail = tuple[tuple[str, str], ...]


class Files(Protocol):
    """What ``extends`` needs of the assembler: other files."""

    def parse(self, path: str) -> tuple[Map, ...] | None: ...

    def local(self, path: str) -> str: ...

    def prepared(self, raw: Map, directory: str, environment: Environment) -> Map: ...

    def lack(self, path: str) -> str: ...

    def extends(self, name: str, bases: tuple[Map, ...], environment: Environment) -> None: ...


class _Resolved(NamedTuple):
    """service: with its bases merged in, None if it is not a mapping. layers: what was merged, lowest first."""

    service: Map | None
    layers: tuple[Map, ...] = ()


def _alone(own: Map, extends: Node) -> _Resolved:
    """A service without the base that it should have, which may have had what is missing."""
    own = own.with_item("extends", wrong(extends.span))
    return _Resolved(own, (own,))


class Extender:
    """Resolves ``extends`` of one document. The base comes first, and the service is merged over it."""

    def __init__(self, files: Files, environment: Environment, problems: Problems) -> None:
        self.files = files
        self.environment = environment
        self.problems = problems
        self._documents: dict[str, Map] = {}
        self._known: dict[tuple[str, str], _Resolved] = {}
        self._sizes: dict[int, int] = {}

    def extend(self, document: Map, path: str) -> Map:
        """The document with every ``extends`` replaced by what it stands for."""
        services = document.get("services")
        if not isinstance(services, Map):
            return document
        extended: dict[str, Node] = {}
        for key, service in services.items.items():
            found, layers = self._service(key, document, path, ())
            extended[key] = found or service
            if layers[:-1]:
                self.files.extends(key, layers[:-1], self.environment)
        return document.with_item("services", Map(extended, services.keys, services.span))

    def _service(self, name: str, document: Map, path: str, trail: Trail) -> _Resolved:
        here = (path, name)
        known = self._known.get(here)
        if known is None:
            known = self._resolve(name, document, path, trail)
            self._known[here] = known
        return known

    def _resolve(self, name: str, document: Map, path: str, trail: Trail) -> _Resolved:
        services = find_map(document, "services")
        service = services.get(name) if services else None
        if not isinstance(service, Map):
            return _Resolved(None)
        extends = service.get("extends")
        if extends is None or extends.tag in (RESET, WRONG):
            return _Resolved(service, (service,))
        if not isinstance(extends, Map):
            message = f"extends must be a string or a mapping, not {describe(plain(extends))}"
            self.problems.error("wrong-type", message, extends.span, ("services", name, "extends"))
            return _alone(service, extends)
        here, own = (path, name), service.without("extends")
        target = extends.get("service")
        error = self._refusal(target, here, trail)
        if error is not None or not isinstance(target, Scalar):
            code, message = error or ("", "")
            if target is None or target.tag != WRONG:
                self.problems.error(code, message, extends.span, ("services", name, "extends"))
            return _alone(own, extends)
        base, layers = self._base(str(target.value), extends, document, path, (*trail, here))
        if base is None or not self._may_copy(base, extends, name):
            return _alone(own, extends)
        merged = merge_at(base, own, ("services", name), self.problems)
        return _Resolved(Map(merged.items, merged.keys, service.span, service.tag), (*layers, own))

    def _refusal(self, target: Node | None, here: tuple[str, str], trail: Trail) -> tuple[str, str] | None:
        """The code and message of a mistake in an ``extends``, if there is one."""
        if not isinstance(target, Scalar) or not isinstance(target.value, str):
            return "missing-key", "extends needs a service"
        if here in trail:
            chain = " -> ".join(f"{key} ({os.path.basename(file)})" for file, key in (*trail, here))
            return "cycle", f"services extend each other: {chain}"
        if len(trail) >= MAXIMUM_CHAIN:
            return "invalid-value", f"a chain of extends is longer than {MAXIMUM_CHAIN} services"
        return None

    def _may_copy(self, base: Map, extends: Map, name: str) -> bool:
        """Whether the load may grow by another copy of ``base``."""
        if id(base) not in self._sizes:
            self._sizes[id(base)] = sum(1 for _ in walk(base))
        if self.problems.may_make(self._sizes[id(base)]):
            return True
        place = ("services", name, "extends")
        self.problems.error("invalid-value", "this makes the stack too large", extends.span, place)
        return False

    def _base(self, name: str, extends: Map, document: Map, path: str, trail: Trail) -> _Resolved:
        at = ("services", trail[-1][1], "extends")
        file = extends.get("file")
        if isinstance(file, Scalar) and isinstance(file.value, str) and file.value != path:
            local = self._local(file.value, file.span, (*at, "file"))
            if local is None:
                return _Resolved(None)
            if local != path:
                path = local
                other = self._other(path, file.span, (*at, "file"))
                if other is None:
                    return _Resolved(None)
                document = other
        services = find_map(document, "services")
        if services is None or name not in services.items:
            message = f"cannot extend service {name}: it is not declared in {os.path.basename(path)}"
            hint = f"its services are {', '.join(sorted(services.items)[:50])}" if services and services.items else ""
            self.problems.error("undefined", message, extends.span, at, hint)
            return _Resolved(None)
        return self._service(name, document, path, trail)

    def _local(self, path: str, place: Span, at: Path) -> str | None:
        with self.problems.at(place, at):
            return self.files.local(path)
        return None

    def _other(self, path: str, place: Span, at: Path) -> Map | None:
        """The first document of another file; None if there is none, for a reason in ``problems``."""
        if path not in self._documents:
            with self.problems.at(place, at):
                documents = self.files.parse(path)
                if documents is None:
                    self.problems.error("file-not-found", self.files.lack(path), place, at)
                elif documents:
                    self._documents[path] = self.files.prepared(documents[0], os.path.dirname(path), self.environment)
                elif path not in self.problems.unreadable:
                    self.problems.error("empty-file", f"{os.path.basename(path)} is empty", place, at)
        return self._documents.get(path)
