"""How an image was built, as SLSA provenance: https://slsa.dev/spec/v1.1/provenance and /v0.2/provenance.

The members are BuildKit's (its docs/attestations/slsa-definitions.md), so that programs which read them there read them
here. The type of the build is not: the steps are those of ``build.step``.
"""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING

from orchestra.build.attestation.options import Version
from orchestra.build.attestation.statement import Material, render_digest
from orchestra.build.key import parents_of
from orchestra.build.step import Graph, Network, Run
from orchestra.record import Record, fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.build.attestation.options import Provenance

KINDS = {Version.V02: "https://slsa.dev/provenance/v0.2", Version.V1: "https://slsa.dev/provenance/v1"}
BUILD_TYPE = "urn:orchestra:build:dockerfile"
FRONTEND = "dockerfile.v0"
EXTENSION = "https://mobyproject.org/buildkit@v1#metadata"
# Numbers of other steps; and addresses that may hold passwords, and do not count for what is made.
_NOT_SHOWN = frozenset(("base", "source", "proxies"))
_PRIVATE = ("build-arg:", "label:")


class Request(Record):
    """What was asked for. path: of the Dockerfile. text: what is in it. source: where the context comes from, if that
    is not this machine. arguments: as ``build-arg:NAME``, ``label:NAME`` and ``target``. directories: names of contexts
    that are directories of this machine. secrets, agents: identifiers. platform: of this machine.
    """

    path: str
    text: str
    platform: str
    source: Material | None = None
    arguments: Mapping[str, str] = {}
    directories: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()


class Course(Record):
    """What has happened. materials: what was taken from elsewhere. layers: their descriptors, by the step's number.

    network: of commands that do not ask for one. time: when it ended, or what counts for that (SOURCE_DATE_EPOCH), as
    Unix time. identifier, began: of this build; empty and None if the same build is to say the same again.
    """

    graph: Graph
    materials: tuple[Material, ...]
    layers: Mapping[int, Mapping[str, object]]
    network: Network
    time: float
    identifier: str = ""
    began: float | None = None

    @property
    def ended(self) -> float | None:
        return None if self.began is None else self.time


def render_provenance(request: Request, course: Course, options: Provenance) -> dict[str, object]:
    """The predicate."""
    render = _render_v1 if options.version is Version.V1 else _render_v02
    return render(request, course, options)


def _render_v1(request: Request, course: Course, options: Provenance) -> dict[str, object]:
    steps = {"buildConfig": {"llbDefinition": _steps(course.graph)}} if options.is_full else {}
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "configSource": {**_source(request), "path": request.path},
                "request": _parameters(request, options),
            },
            "internalParameters": {"builderPlatform": request.platform, **steps},
            "resolvedDependencies": _materials(course),
        },
        "runDetails": {
            "builder": {"id": options.builder},
            "metadata": {
                **_named("invocationId", course.identifier),
                **_time("startedOn", course.began),
                **_time("finishedOn", course.ended),
                "buildkit_hermetic": _is_hermetic(course),
                "buildkit_reproducible": options.is_reproducible,
                "buildkit_completeness": {
                    "request": _is_complete(request, options),
                    "resolvedDependencies": not request.directories,
                },
                "buildkit_metadata": _details(request, course) if options.is_full else {},
            },
        },
    }


def _render_v02(request: Request, course: Course, options: Provenance) -> dict[str, object]:
    return {
        "builder": {"id": options.builder},
        "buildType": BUILD_TYPE,
        "materials": _materials(course),
        "invocation": {
            "configSource": {**_source(request), "entryPoint": request.path},
            "parameters": _parameters(request, options),
            "environment": {"platform": request.platform},
        },
        **({"buildConfig": {"llbDefinition": _steps(course.graph)}} if options.is_full else {}),
        "metadata": {
            **_named("buildInvocationID", course.identifier),
            **_time("buildStartedOn", course.began),
            **_time("buildFinishedOn", course.ended),
            "completeness": {
                "parameters": _is_complete(request, options),
                "environment": True,
                "materials": not request.directories,
            },
            "reproducible": options.is_reproducible,
            f"{EXTENSION.partition('#')[0]}#hermetic": _is_hermetic(course),
            EXTENSION: _details(request, course) if options.is_full else {},
        },
    }


def _source(request: Request) -> dict[str, object]:
    source = request.source
    return {"uri": source.uri, "digest": render_digest(source.digest)} if source else {}


def _parameters(request: Request, options: Provenance) -> dict[str, object]:
    public = {name: value for name, value in request.arguments.items() if not name.startswith(_PRIVATE)}
    found: dict[str, object] = {
        "frontend": FRONTEND,
        "args": dict(request.arguments) if options.is_full else public,
        "locals": [{"name": name} for name in request.directories],
    }
    if options.is_full:
        found["secrets"] = [{"id": name} for name in request.secrets]
        found["ssh"] = [{"id": name} for name in request.agents]
    return found


def _is_complete(request: Request, options: Provenance) -> bool:
    is_private = any(name.startswith(_PRIVATE) for name in request.arguments)
    return options.is_full or not (is_private or request.secrets or request.agents)


def _materials(course: Course) -> list[dict[str, object]]:
    """Each once, in a stable order."""
    rows = sorted({(one.uri, one.digest) for one in course.materials})
    return [{"uri": uri, **({"digest": render_digest(digest)} if digest else {})} for uri, digest in rows]


def _is_hermetic(course: Course) -> bool:
    """Whether no command could reach a network."""
    commands = (step for step in course.graph.steps if isinstance(step, Run))
    asked = (course.network if step.network is Network.DEFAULT else step.network for step in commands)
    return all(network is Network.NONE for network in asked)


def _steps(graph: Graph) -> list[dict[str, object]]:
    found = []
    for number, step in enumerate(graph.steps):
        shown = {name: _plain(value) for name, value in fields(step).items() if name not in _NOT_SHOWN}
        row: dict[str, object] = {"id": f"step{number}", "op": {type(step).__name__: shown}}
        inputs = [f"step{parent}:0" for parent in parents_of(step)]
        found.append(row | ({"inputs": inputs} if inputs else {}))
    return found


def _plain(value: object) -> object:
    match value:
        case Record():
            return {name: _plain(one) for name, one in fields(value).items()}
        case tuple() | list():
            return [_plain(one) for one in value]
        case bytes():
            return value.decode(errors="replace")
        case _:
            return value


def _details(request: Request, course: Course) -> dict[str, object]:
    """The Dockerfile, which lines of it made which step, and which layers came of that."""
    data = base64.b64encode(request.text.encode(errors="surrogateescape")).decode()
    ranges = {
        f"step{number}": {"locations": [{"ranges": [{"start": {"line": one.line}, "end": {"line": one.end_line}}]}]}
        for number, one in sorted(course.graph.labels.items())
    }
    return {
        "source": {
            "infos": [{"filename": request.path, "language": "Dockerfile", "data": data}],
            "locations": ranges,
        },
        "layers": {f"step{number}:0": [[dict(layer)]] for number, layer in sorted(course.layers.items())},
    }


def _named(name: str, value: str) -> dict[str, object]:
    return {name: value} if value else {}


def _time(name: str, seconds: float | None) -> dict[str, object]:
    """RFC 3339."""
    return {} if seconds is None else {name: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))}
