"""What a command needs from the Compose file: from the cache if nothing changed, else loaded. Light to import."""

from __future__ import annotations

import contextlib
import json
import os
from functools import partial

from orchestra.compose.remembered import entry_path, recall, remember
from orchestra.compose.request import LoadRequest
from orchestra.driver import unsupported
from orchestra.errors import Diagnostic, Span, UserError
from orchestra.model.project import Chosen
from orchestra.named_tuple import NamedTuple
from orchestra.record import Record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from orchestra.compose import Loaded
    from orchestra.model.desired import Desired
    from orchestra.model.request import Changes
    from orchestra.stacks.context import Context
    from orchestra.stacks.sources.reach import Reach


class Identity(NamedTuple):
    """What is known about a stack without its containers. services: all that the file declares."""

    stack: str
    services: tuple[str, ...]


class BuiltService(NamedTuple):
    """A service whose image is built. policy: its pull_policy, or empty."""

    service: str
    image: str
    platform: str
    policy: str


class Prepared(Record):
    """A load ready to send. selected: the named services and their dependencies, empty for all; desired: JSON.

    reach: for a stack with files from elsewhere, what those files access. built: services with containers.
    """

    identity: Identity
    selected: tuple[str, ...]
    notes: tuple[Diagnostic, ...]
    desired: bytes
    reach: Reach | None = None
    built: tuple[BuiltService, ...] = ()


def has_provisions(prepared: Prepared) -> bool:
    """Whether other programs may give variables to containers; a look at the text is enough for most stacks."""
    return b'"providers"' in prepared.desired or b'"models"' in prepared.desired


class StackFile:
    """The file that a context means."""

    def __init__(self, context: Context, note: Callable[[str], object] | None = None) -> None:
        """note: is told each path that is read or looked for."""
        self._note = note
        project = context.project
        self._loads = context.home.loads
        self._fetch = partial(_fetch, context)
        self._sources = context.home.sources
        self._driver = context.driver
        self._given = context.files
        self._all = LoadRequest(
            environment=context.given_variables,
            working_directory=context.working_directory or os.getcwd(),
            files=tuple(project.files),
            project_directory=project.directory,
            project_name=project.name,
            profiles=tuple(project.profiles),
            env_files=tuple(project.env_files),
            runtime=project.runtime,
            all_resources=project.all_resources,
            compatibility=project.compatibility,
        )

    def load_request(self, chosen: Chosen) -> LoadRequest:
        return replace(
            self._request(chosen),
            unsupported=unsupported(self._driver),
            fetch=self._fetch,
            note=self._note,
            given=self._given,
        )

    def identify(self) -> Identity:
        """Raises what a load raises."""
        identity = self.recall_identity()
        return identity or _identity(self.load(Chosen()))

    def recall_identity(self) -> Identity | None:
        payload = self._recall(self._key(Chosen(), text="identity"))
        return None if payload is None else _identity_of(json.loads(payload))

    def prepare(self, chosen: Chosen) -> Prepared:
        """Raises what a load raises."""
        return self.recall_prepared(chosen) or self._prepare(chosen)

    def recall_prepared(self, chosen: Chosen) -> Prepared | None:
        payload = self._recall(self._key(chosen), self._note)
        return None if payload is None else _unpack(payload)

    def forget(self, chosen: Chosen) -> None:
        """Remove what is remembered of loads under this name, which will not be used again."""
        for key in (self._key(Chosen(), text="identity"), self._key(chosen)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(entry_path(self._loads, key))

    def render(self, what: str, services: Sequence[str], render: Callable[[Loaded], str]) -> str:
        """A text rendered from a load, cached under ``what``."""
        chosen = Chosen(tuple(services))
        key = self._key(chosen, text=what)
        payload = self._recall(key)
        if payload is not None:
            return payload.decode()
        loaded = self.load(chosen)
        text = render(loaded)
        if not loaded.inputs.fetched:
            self._remember(key, loaded, text.encode())
        return text

    def load(self, chosen: Chosen) -> Loaded:
        """Read and check the file; the stack's identity is cached.

        For a stack from elsewhere nothing else is cached, since it may have changed there. So a command that only
        has to identify the stack needs no network.
        """
        from orchestra.compose import load

        loaded = load(self.load_request(chosen))
        self._remember(self._key(Chosen(), text="identity"), loaded, json.dumps(_identity(loaded)).encode())
        return loaded

    def _request(self, chosen: Chosen) -> LoadRequest:
        return replace(
            self._all,
            services=tuple(chosen.services),
            no_deps=chosen.no_deps,
            scale=chosen.scale,
            automatic_ports=chosen.automatic_ports,
        )

    def _key(self, chosen: Chosen, **more: str) -> dict[str, Any]:
        """The cache key of a result."""
        return {**self._request(chosen).plain(), "driver": self._driver, **more}

    def _prepare(self, chosen: Chosen) -> Prepared:
        from orchestra.model.codec import encode

        loaded = self.load(chosen)
        if not loaded.stack.services and not loaded.desired.networks:
            raise UserError(
                "no service selected", hint="the file declares no services, or all of them belong to inactive profiles"
            )
        desired = loaded.desired
        selected = {spec.service for spec in desired.containers}.union(chosen.services)
        head = {
            "identity": _identity(loaded),
            "selected": sorted(selected) if chosen.services else [],
            "notes": [*loaded.warnings, *loaded.not_applied],
            "built": _built(loaded),
        }
        payload = json.dumps(head).encode() + b"\n" + json.dumps(encode(desired), separators=(",", ":")).encode()
        prepared = _unpack(payload)
        if not loaded.inputs.fetched:
            self._remember(self._key(chosen), loaded, payload)
            return prepared
        from orchestra.stacks.sources.reach import find_reach

        return replace(prepared, reach=find_reach(self.load_request(chosen), loaded, self._sources))

    def _recall(self, key: Mapping[str, Any], note: Callable[[str], object] | None = None) -> bytes | None:
        """Files of another machine are not the ones that an entry is about."""
        return None if self._given else recall(self._loads, key, note)

    def _remember(self, key: Mapping[str, Any], loaded: Loaded, payload: bytes) -> None:
        # A user who may not write there still gets an answer, but more slowly.
        with contextlib.suppress(OSError):
            remember(self._loads, key, loaded.inputs, payload)


def _fetch(context: Context, reference: str) -> str:
    if not context.may_fetch:
        raise UserError(f"{reference} is not fetched now")
    from orchestra.stacks.sources.fetch import fetch_file

    return fetch_file(reference, context.home.sources, context.environment)


def prepared_from(desired: Desired, selected: tuple[str, ...] = ()) -> Prepared:
    """What a load of a file with this desired state prepares. selected: as in ``Prepared``."""
    from orchestra.model.codec import encode

    return Prepared(Identity(desired.stack, desired.services), selected, (), json.dumps(encode(desired)).encode())


def concern(changes: Changes, chosen: Chosen, prepared: Prepared) -> Changes:
    """The changes for the chosen and prepared services."""
    return replace(
        changes, services=prepared.selected, named=chosen.services, scaled=tuple(chosen.scale), alone=chosen.no_deps
    )


def check_services(identity: Identity, services: Sequence[str]) -> None:
    """Raise UserError for a service that the file does not declare."""
    for service in services:
        if service not in identity.services:
            names = ", ".join(identity.services)
            hint = f"services are {names}" if names else "the file declares no services"
            raise UserError(f"no such service: {service}", hint=hint)


def _identity(loaded: Loaded) -> Identity:
    return Identity(str(loaded.desired.stack), tuple(map(str, loaded.desired.services)))


def _built(loaded: Loaded) -> list[BuiltService]:
    services = loaded.stack.services
    specs = {str(spec.service): spec for spec in loaded.desired.containers}
    return [
        BuiltService(key, spec.image, spec.platform, services[key].pull_policy or "")
        for key, spec in sorted(specs.items())
        if services[key].build is not None
    ]


def _identity_of(row: Sequence[Any]) -> Identity:
    stack, services = row
    return Identity(stack, tuple(services))


def _unpack(payload: bytes) -> Prepared:
    line, _, desired = payload.partition(b"\n")
    head = json.loads(line)
    notes = [Diagnostic(code, text, span and Span(*span), *rest) for code, text, span, *rest in head["notes"]]
    built = tuple(BuiltService(*row) for row in head["built"])
    return Prepared(_identity_of(head["identity"]), tuple(head["selected"]), tuple(notes), desired, built=built)
