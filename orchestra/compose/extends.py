"""``extends``: a service built upon another, of the same file or of another one."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING, Protocol

from orchestra.compose.merge import merge_at
from orchestra.compose.nodes import RESET, Map, Scalar, find_map

if TYPE_CHECKING:
    from orchestra.compose.environment import Environment
    from orchestra.compose.problems import Problems

MAXIMUM_CHAIN = 100
Trail = tuple[tuple[str, str], ...]


class Files(Protocol):
    """What ``extends`` needs of the assembler: other files."""

    def parse(self, path: str) -> tuple[Map, ...] | None: ...

    def prepared(self, raw: Map, directory: str, environment: Environment) -> Map: ...

    def lack(self, path: str) -> str: ...

    def extends(self, name: str, base: Map, environment: Environment) -> None: ...


class Extender:
    """Resolves ``extends`` of one document. The base comes first, the service's own words are merged over it."""

    def __init__(self, files: Files, environment: Environment, problems: Problems) -> None:
        self.files = files
        self.environment = environment
        self.problems = problems
        self._documents: dict[str, Map] = {}

    def extend(self, document: Map, path: str) -> Map:
        """The document with every ``extends`` replaced by what it stands for."""
        services = document.get("services")
        if not isinstance(services, Map):
            return document
        extended = {key: self._service(key, document, path, ()) for key in services.items}
        return document.with_item(
            "services",
            Map({key: extended[key] or services.items[key] for key in services.items}, services.keys, services.span),
        )

    def _service(self, name: str, document: Map, path: str, trail: Trail) -> Map | None:
        """A service with its bases merged in; None when it is no mapping."""
        services = find_map(document, "services")
        service = services.get(name) if services else None
        if not isinstance(service, Map):
            return None
        extends = service.get("extends")
        if not isinstance(extends, Map) or extends.tag == RESET:
            if trail:
                self.files.extends(trail[0][1], service, self.environment)
            return service
        at = ("services", name, "extends")
        target = extends.get("service")
        if not isinstance(target, Scalar) or not isinstance(target.value, str):
            self.problems.error("missing-key", "extends needs the key service", extends.span, at)
            return service.without("extends")
        here = (path, name)
        if here in trail:
            chain = " -> ".join(f"{key} ({os.path.basename(file)})" for file, key in (*trail, here))
            self.problems.error("cycle", f"services extend each other: {chain}", extends.span, at)
            return service.without("extends")
        if len(trail) >= MAXIMUM_CHAIN:
            message = f"services extend each other over more than {MAXIMUM_CHAIN} steps"
            self.problems.error("invalid-value", message, extends.span, at)
            return service.without("extends")
        base = self._base(target.value, extends, document, path, (*trail, here))
        own = service.without("extends")
        if trail:
            self.files.extends(trail[0][1], own, self.environment)
        if base is None:
            return own
        merged = merge_at(base, own, ("services", name), self.problems)
        return Map(merged.items, merged.keys, service.span, service.tag)

    def _base(self, name: str, extends: Map, document: Map, path: str, trail: Trail) -> Map | None:
        at = ("services", trail[-1][1], "extends")
        file = extends.get("file")
        if isinstance(file, Scalar) and isinstance(file.value, str) and file.value != path:
            path = file.value
            other = self._other(path)
            if other is None:
                self.problems.error("file-not-found", self.files.lack(path), file.span, (*at, "file"))
                return None
            document = other
        services = find_map(document, "services")
        if services is None or name not in services.items:
            message = f"there is no service {name} in {os.path.basename(path)} to extend"
            hint = f"services there are {', '.join(sorted(services.items))}" if services and services.items else ""
            self.problems.error("undefined", message, extends.span, at, hint)
            return None
        return self._service(name, document, path, trail)

    def _other(self, path: str) -> Map | None:
        if path not in self._documents:
            documents = self.files.parse(path)
            if not documents:
                return None
            self._documents[path] = self.files.prepared(documents[0], os.path.dirname(path), self.environment)
        return self._documents[path]
